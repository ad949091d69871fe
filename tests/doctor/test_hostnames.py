"""Hostnames through a real nginx: certificates by an authority of the test's, backends, names that this host knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.doctor import hostnames, upstreams
from tests.doctor.conftest import bad
from tests.doctor.nginx import Nginx
from tests.doctor.stage import STACK

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def nginx(binary: Callable[[str], str], free_port: Callable[[], int], public_path: Path) -> Iterator[Nginx]:
    server = Nginx(binary("nginx"), public_path, free_port())
    for name in ("good", "away"):
        server.sign(name, 30)
    server.serve(good=204, away=502)
    yield server
    server.stop()


def test_a_backend_that_is_away(nginx: Nginx) -> None:
    nginx.values["hostnames"] = [{"name": "good"}, {"name": "away", "service": "pgadmin"}]
    (wrong,) = [one for one in hostnames.look(nginx.values, STACK) if not one.ok and one.what != "name resolution"]
    assert (wrong.what, wrong.said) == ("away.localhost", "answers 502: its backend is away")
    assert wrong.remedy == "docker logs --tail 50 mini-pgadmin-1"
    nginx.values["without"] = ["pgadmin"]  # nobody misses what this mini-cloud does without
    assert "away.localhost" not in bad(hostnames.look(nginx.values, STACK))


def test_a_certificate_of_somebody_else(nginx: Nginx) -> None:
    (nginx.root / "certificates/current/ca.pem").write_text(Path("/etc/ssl/certs/ca-certificates.crt").read_text())
    assert "is not trusted" in bad(hostnames.look(nginx.values, STACK))["good.localhost"]


def test_a_name_that_this_host_does_not_know(nginx: Nginx) -> None:
    nginx.values["hostnames"] = [{"name": "nowhere.invalid"}]
    (finding,) = [one for one in hostnames.look(nginx.values, STACK) if one.what == "name resolution"]
    assert finding.remedy == "echo '127.0.0.1 nowhere.invalid' | sudo tee -a /etc/hosts"


def test_a_container_cannot_tell_what_its_host_knows() -> None:
    finding = hostnames.resolved(["nowhere.invalid"], "127.0.0.1", container=True)
    assert (finding.ok, finding.said.endswith("know them: 127.0.0.1 nowhere.invalid")) == (True, True)
    assert not hostnames.resolved(["nowhere.invalid"], "127.0.0.1", container=False).ok


def test_an_nginx_that_does_not_run(nginx: Nginx) -> None:
    nginx.stop()
    (finding,) = hostnames.look(nginx.values, STACK)
    assert finding.said == f"nothing listens at 127.0.0.1:{nginx.port}"
    assert "docker start mini-nginx-1" in finding.remedy


def test_an_upstream_that_nginx_cannot_reach(tmp_path: Path) -> None:
    """The job registered its container's address."""
    file = tmp_path / "upstreams/http/example_server.conf"
    file.parent.mkdir(parents=True)
    values = {"root": str(tmp_path), "domain": "localhost", "hostnames": [{"name": "example", "consul": "example-server"}]}
    values["workers"] = {"network": "192.168.64.0/24"}
    (wrong,) = upstreams.look(values, None, STACK)
    assert (wrong.said, wrong.remedy) == (f"{file}: No such file or directory", "docker logs --tail 50 mini-consul-template-1")
    file.write_text("upstream example_server {\n    server 127.0.0.1:9 down;\n    server 10.88.0.2:80 max_fails=0;\n}\n")
    (wrong,) = upstreams.look(values, None, STACK)
    assert "10.88.0.2:80 is not in the workers' network" in wrong.said
    assert 'address_mode = "host"' in wrong.remedy
    file.write_text("upstream example_server {\n    server 192.168.64.15:24095 max_fails=0;\n}\n")
    assert bad(upstreams.look(values, None, STACK)) == {}
