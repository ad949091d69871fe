"""A hostname from one declaration: what one line in the values becomes, everywhere."""

from __future__ import annotations

import pytest
import yaml

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files
from tests.stack.rendered import ROOT, tree

_VALUES = ROOT / "repo-template/values/common.yaml"


def rendered(line: str) -> Files:
    """The stack with one line more below `hostnames:`."""
    given = yaml.safe_load(_VALUES.read_text())["hostnames"]
    return tree(overlay=yaml.safe_dump({"hostnames": [*given, yaml.safe_load(line)]}))


def changed(line: str) -> dict[str, str]:
    before, after = tree(), rendered(line)
    assert before.keys() == after.keys()
    return {path: after[path].decode() for path in after if after[path] != before[path]}


def test_a_static_backend() -> None:
    """The container of nginx is not made anew for it."""
    files = changed("{name: wiki, service: wiki, port: 8000, aliases: [docs.other.test]}")
    assert set(files) == {
        "agent/bootstrap.yaml",
        "certificates/certificates.yaml",
        "nginx/hostnames.conf",
        "prometheus/prometheus.yml",
    }
    certificate = yaml.safe_load(files["certificates/certificates.yaml"])["certificates"]["wiki.example.test"]
    assert certificate["names"] == ["wiki.example.test", "docs.other.test"]
    assert "server_name wiki.example.test docs.other.test;" in files["nginx/hostnames.conf"]
    assert "set $backend wiki:8000;" in files["nginx/hostnames.conf"]
    scraped = {job["job_name"]: job for job in yaml.safe_load(files["prometheus/prometheus.yml"])["scrape_configs"]}
    probe = scraped["hostname-wiki.example.test"]
    assert probe["tls_config"]["server_name"] == "wiki.example.test"
    assert probe["enable_http2"] is False, "nginx answers 421 to HTTP/2 whose Host is not what TLS asked for"
    assert probe["static_configs"] == [{"targets": ["nginx:443"], "labels": {"job": "hostnames", "instance": "wiki.example.test"}}]


def test_a_service_of_consul_and_a_tcp_port() -> None:
    files = changed("{name: queue, consul: my-queue, stream: [{listen: 5672}]}")
    assert "set $backend my_queue;" in files["nginx/hostnames.conf"]
    assert "listen 5672;\n    set $backend my_queue;" in files["nginx/streams.conf"]
    written = files["consul-template/consul-template.hcl"]
    assert written.count('range service "my-queue"') == 2
    assert "/upstreams/http/my_queue.conf" in written
    assert "/upstreams/stream/my_queue.conf" in written
    assert "0.0.0.0:5672:5672" in yaml.safe_load(files["compose/compose.yaml"])["services"]["nginx"]["ports"]


def test_locations_of_its_own() -> None:
    places = "[{path: /api/, consul: api}, {path: = /robots.txt, conf: 'return 200 \"\";'}]"
    files = changed(f"{{name: shop, service: shop, port: 80, locations: {places}}}")
    server = files["nginx/hostnames.conf"].partition("server_name shop.example.test;\n    ssl")[2]
    assert "location /api/ {\n        set $backend api;" in server
    assert 'location = /robots.txt {\n        return 200 "";\n    }' in server
    assert "location / {\n        set $backend shop:80;" in server
    assert "/upstreams/http/api.conf" in files["consul-template/consul-template.hcl"]


@pytest.mark.parametrize("line", ["{name: nowhere}", "{name: both, service: a, port: 1, consul: b}"])
def test_what_leads_nowhere_is_refused(line: str) -> None:
    with pytest.raises(InvalidRevision, match="a hostname leads to `service` and `port`, or to `consul`"):
        rendered(line)


def test_two_hostnames_of_one_service_share_its_upstream() -> None:
    files = changed("{name: another, consul: example-server}")
    assert "consul-template/consul-template.hcl" not in files
