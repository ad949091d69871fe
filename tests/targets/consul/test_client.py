"""Trouble with Consul, and where the token may go."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.model import HealthStatus
from gitops_agent.targets.consul.target import Consul
from tests.conformance.converge import converge, plan
from tests.targets.consul.server import ConsulServer

Make = Callable[..., Consul]
FILES = {"kv.yaml": b"a: 1\n"}


class Impostor:
    """Answers like a Consul in trouble. `answers` by path; `seen` are the tokens that came, by path."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.seen: list[tuple[str, str | None]] = []
        seen, answers = self.seen, self.answers

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                seen.append((path, self.headers.get("X-Consul-Token")))
                status, body, headers = answers.get(path, (404, b"", {"X-Consul-Index": "7"}))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = _answer  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    impostor = Impostor()
    thread = threading.Thread(target=impostor.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield impostor
    impostor.server.shutdown()
    impostor.server.server_close()
    thread.join()


KEYS = "/v1/kv/conformance/"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, b"No cluster leader", {}), "consul answered 500 to GET /v1/kv/conformance/: No cluster leader"),
        ((429, b"slow down", {}), "consul answered 429 to GET /v1/kv/conformance/: slow down"),
        ((403, b"ACL not found", {}), "consul does not know the agent's token"),
        ((403, b"Permission denied", {}), 'consul: the agent\'s token lacks key_prefix "conformance/" { policy = "write" }'),
        ((200, b"<html>", {}), "is no Consul: its answer to /v1/kv/conformance/ is no JSON"),
        ((200, b'{"a": 1}', {}), "what answers instead of consul speaks nonsense"),
        (
            (200, b'[{"Key": "conformance/a", "Value": "%%%", "ModifyIndex": 1}]', {}),
            "what answers instead of consul speaks nonsense",
        ),
        ((200, b'[{"Key": "conformance/a"}]', {}), "what answers instead of consul speaks nonsense"),
        (
            (200, b"[]", {"X-Consul-Results-Filtered-By-ACLs": "true"}),
            'consul hid a part of its answer: the agent\'s token lacks key_prefix "conformance/" { policy = "write" }',
        ),
        ((404, b"", {"X-Consul-Results-Filtered-By-ACLs": "true"}), "consul hid a part of its answer"),
    ],
)
def test_an_answer_that_is_none_is_unavailable(
    make: Make, impostor: Impostor, answer: tuple[int, bytes, dict[str, str]], message: str
) -> None:
    """Failure modes 37 and 46: an error, and a list that ACLs filtered, are never taken for an empty list."""
    impostor.answers[KEYS] = answer
    with pytest.raises(Unavailable) as raised:
        plan(make(address=impostor.url), FILES)
    assert message in str(raised.value)


def test_the_token_follows_no_redirect(make: Make, impostor: Impostor) -> None:
    impostor.answers[KEYS] = (302, b"", {"Location": f"{impostor.url}/elsewhere"})
    with pytest.raises(Unavailable, match="cannot be reached"):
        plan(make(address=impostor.url), FILES)
    assert "/elsewhere" not in [path for path, _ in impostor.seen]


def test_every_call_carries_the_configured_token(
    make: Make, impostor: Impostor, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "token-of-whoever-started-the-agent")
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "http://192.0.2.1:1")
    impostor.answers["/v1/txn"] = (200, b'{"Results": []}', {})
    impostor.answers["/v1/status/leader"] = (200, b'""', {})
    target = make(address=impostor.url)
    converge(target, FILES)
    assert target.health().status is HealthStatus.PROGRESSING, "an answer without a leader is not health"
    assert {path for path, _ in impostor.seen} == {"/v1/kv/gitops-agent/conformance/consul", KEYS, "/v1/txn", "/v1/status/leader"}
    assert {token for _, token in impostor.seen} == {token_file.read_text().strip()}
    impostor.seen.clear()
    plan(make(address=impostor.url, token_file=None), FILES)
    assert {token for _, token in impostor.seen} == {None}


def test_a_rotated_token_is_taken_up(make: Make, consul: ConsulServer, token_file: Path) -> None:
    """Failure mode 10. The old one is masked still."""
    target = make()
    converge(target, FILES)
    old = token_file.read_text().strip()
    token_file.write_text("11111111-2222-3333-4444-555555555555\n")
    with pytest.raises(Unavailable, match=r"^consul does not know the agent's token \(.*/token\)$"):
        plan(target, FILES)
    token_file.write_text(old)
    assert not plan(target, FILES)
    assert secret.mask(f"{old} 11111111-2222-3333-4444-555555555555") == "(sensitive) (sensitive)"
    token_file.unlink()
    with pytest.raises(Unavailable, match="cannot be read: No such file"):
        plan(target, FILES)
    for nonsense in ("", "two\nlines", "ümlaut"):
        token_file.write_text(nonsense)
        with pytest.raises(Unavailable, match="holds no token"):
            plan(target, FILES)


def test_a_token_that_may_read_half_deletes_nothing(make: Make, consul: ConsulServer, token_file: Path) -> None:
    """Failure mode 37. Consul 1.11 and newer say that they hid something; an older one makes keys look absent: they would be
    created, never deleted, and that is refused."""
    files = {"kv.yaml": b"a: 1\nb: 2\n"}
    converge(make(), files)
    before = consul.keys()
    rules = 'key_prefix "conformance/a" { policy = "write" } key_prefix "gitops-agent/" { policy = "write" }'
    token_file.write_text(consul.token(rules))
    with pytest.raises(Unavailable if modern(consul) else ApplyFailed) as raised:
        converge(make(), files)
    rule = 'key_prefix "conformance/"' if modern(consul) else 'key "conformance/b"'
    assert f'the agent\'s token lacks {rule} {{ policy = "write" }}' in str(raised.value)
    assert consul.keys() == before


def modern(consul: ConsulServer) -> bool:
    version = consul.call("GET", "/v1/agent/self")["Config"]["Version"]
    return tuple(map(int, version.split(".")[:2])) >= (1, 11)


def test_a_server_that_hangs_is_left_in_time(make: Make, consul: ConsulServer) -> None:
    consul.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable, match="no answer in time"):
            plan(make(address=consul.url, timeout=0.2), FILES)
    finally:
        consul.process.send_signal(signal.SIGCONT)


def test_nobody_there(make: Make, free_port: Callable[[], int]) -> None:
    port = free_port()
    with pytest.raises(Unavailable, match=f"^consul cannot be reached at http://127.0.0.1:{port}: connection refused$"):
        plan(make(address=f"http://127.0.0.1:{port}"), FILES)


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"conformance/": [1', b"null", b'{"conformance/": 5}', b"\xff"])
def test_a_damaged_record_stops_everything(make: Make, consul: ConsulServer, content: bytes) -> None:
    """Failure mode 37: without the record nobody knows what is whose."""
    consul.put("gitops-agent/conformance/consul", content)
    with pytest.raises(Unavailable, match="the record of what is owned, gitops-agent/conformance/consul, is damaged"):
        plan(make(), FILES)
    assert json.dumps(sorted(consul.keys())) == '["gitops-agent/conformance/consul"]'
