"""waitress with limits, over real sockets: what trickles, is too large or never ends costs nobody else anything."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from gitops_agent import web
from gitops_agent.errors import ConfigError
from tests.web import gitea
from tests.web.conftest import World
from tests.web.world import TOKEN, run

PATIENCE = 1


@pytest.fixture
def impatient(world: World) -> Iterator[tuple[str, int]]:
    """A server that waits one second where the real one waits twenty."""
    server = web.serve(world.app, "127.0.0.1:0", patience=PATIENCE)
    server.start()
    host, _, port = server.address.rpartition(":")
    yield host, int(port)
    server.close()


def ended_after(connection: socket.socket, seconds: float) -> float:
    """How long until the server has closed the connection; fails after `seconds`."""
    connection.settimeout(seconds)
    began = time.monotonic()
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        pytest.fail(f"still open after {seconds} s")
    return time.monotonic() - began


def trickle(connection: socket.socket, text: bytes, stop: threading.Event) -> None:
    """A byte each twentieth of a second, for ever."""
    try:
        while not stop.wait(0.05):
            connection.send(text)
    except OSError:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "beginning", [b"GET / HTTP/1.1\r\nX-Slow: ", b"POST /webhook/gitea HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"]
)
def test_request_that_trickles_is_ended(impatient: tuple[str, int], beginning: bytes) -> None:
    """Failure mode 60, slow-loris: activity alone must not keep a connection."""
    stop = threading.Event()
    with socket.create_connection(impatient) as connection:
        connection.send(beginning)
        thread = threading.Thread(target=trickle, args=(connection, b"x", stop))
        thread.start()
        try:
            assert ended_after(connection, 8) >= PATIENCE * 0.8
        finally:
            stop.set()
            thread.join()


@pytest.mark.slow
def test_idle_connection_is_ended(impatient: tuple[str, int]) -> None:
    with socket.create_connection(impatient) as connection:
        ended_after(connection, 8)


@pytest.mark.slow
def test_crowd_of_loris_keep_nobody_out_for_long(impatient: tuple[str, int]) -> None:
    """All connections taken: the server takes new ones again as soon as it has ended the slow ones."""
    slow = [socket.create_connection(impatient) for _ in range(270)]
    try:
        for connection in slow:
            connection.send(b"GET / HTTP/1.1\r\nX-Slow: ")
        with closing(http.client.HTTPConnection(*impatient, timeout=10)) as client:
            client.request("GET", "/healthz")
            assert client.getresponse().status == 200
    finally:
        for connection in slow:
            connection.close()


def test_headers_without_end_are_431(served: str) -> None:
    host, _, port = served.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n" + b"X-Many: 0123456789\r\n" * 1000 + b"\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.0 431 ")


@pytest.mark.parametrize("chunked", [False, True])
def test_ten_mebibytes_are_413(world: World, served: str, chunked: bool) -> None:
    """Failure mode 60. With a length it is refused before it is sent, without one as soon as it is too long."""
    host, _, port = served.removeprefix("http://").rpartition(":")
    part = b"x" * (1 << 20)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 10485760"
        connection.sendall(b"POST /webhook/gitea HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + length + b"\r\n\r\n")
        try:
            for _ in range(10):
                connection.sendall(b"100000\r\n" + part + b"\r\n" if chunked else part)
        except ConnectionError:
            pass  # it had read enough
        try:
            answer = connection.recv(4096)
        except ConnectionResetError:
            answer = b""
        assert answer.startswith(b"HTTP/1.1 413 ") or not answer
    assert not world.main.wakes


def test_webhook_over_the_wire(world: World, served: str) -> None:
    body = gitea.payload()
    with closing(http.client.HTTPConnection(served.removeprefix("http://"), timeout=10)) as client:
        client.request("POST", "/webhook/gitea", body, gitea.headers(body))
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (202, b'{"queued":["mini-cloud"],"reason":"push"}\n')
        assert answer.headers["Server"] is None
    assert world.main.wakes == ["webhook"]


def test_headers_that_a_proxy_may_send_change_nothing(served: str) -> None:
    with closing(http.client.HTTPConnection(served.removeprefix("http://"), timeout=10)) as client:
        client.request("GET", "/", headers={"X-Forwarded-Host": "evil.example.com", "Host": "evil.example.com"})
        assert client.getresponse().headers["Location"] == "/login?next=/"


@pytest.mark.slow
def test_storm_over_the_wire_is_answered_and_forgotten(world: World, served: str) -> None:
    """Failure mode 60: eight clients, 1,000 unsigned deliveries. Every one is answered, none rings, health answers meanwhile."""
    body = gitea.payload()
    codes: list[int] = []

    def storm() -> None:
        with closing(http.client.HTTPConnection(served.removeprefix("http://"), timeout=30)) as client:
            for _ in range(125):
                client.request("POST", "/webhook/gitea", body, gitea.headers(body, "wrong-secret"))
                answer = client.getresponse()
                answer.read()
                codes.append(answer.status)

    threads = [threading.Thread(target=storm) for _ in range(8)]
    for thread in threads:
        thread.start()
    with closing(http.client.HTTPConnection(served.removeprefix("http://"), timeout=30)) as client:
        client.request("GET", "/healthz")
        assert client.getresponse().status == 200
    for thread in threads:
        thread.join()
    assert len(codes) == 1000
    assert set(codes) == {401, 429}
    assert not world.main.wakes


def test_closing_finishes_the_request_in_hand(world: World) -> None:
    """SIGTERM in the middle of an answer: it is still given, and new connections are refused."""
    asked, go = threading.Event(), threading.Event()

    def slow_ready() -> dict[str, str]:
        asked.set()
        assert go.wait(10)
        return {}

    app = web.create(world.environments, world.journal, TOKEN, "http://agent", slow_ready)
    server = web.serve(app, "127.0.0.1:0")
    server.start()
    client = http.client.HTTPConnection(server.address, timeout=10)
    client.request("GET", "/readyz")
    assert asked.wait(10)
    closer = threading.Thread(target=server.close)
    closer.start()
    go.set()
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (200, b'{"ready":true,"reasons":{}}\n')
    client.close()
    closer.join(10)
    assert not closer.is_alive()
    host, _, port = server.address.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=2)


@pytest.mark.slow
def test_closing_sends_a_long_answer_to_its_end(world: World) -> None:
    """More than the kernel buffers, to a client that had not begun to read when the agent was told to stop."""
    long = run(plans=({"target": "nginx", "digest": "x" * (8 << 20), "summary": "", "changes": []},))
    world.main.state = replace(world.main.state, current=long)
    server = web.serve(world.app, "127.0.0.1:0")
    server.start()
    with closing(http.client.HTTPConnection(server.address, timeout=10)) as client:
        client.request("GET", f"/api/v1/runs/{long.id}", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = client.getresponse()
        closer = threading.Thread(target=server.close)
        closer.start()
        assert len(answer.read()) > 8 << 20
    closer.join(10)
    assert not closer.is_alive()


def test_server_that_never_started_lets_its_port_go(world: World) -> None:
    first = web.serve(world.app, "127.0.0.1:0")
    first.close()
    second = web.serve(world.app, first.address)
    second.close()


@pytest.mark.parametrize("listen", ["256.0.0.1:80", "127.0.0.1:port", "no-such-host.invalid:80"])
def test_address_that_is_none_is_the_operators_mistake(world: World, listen: str) -> None:
    with pytest.raises(ConfigError, match=r"serve\.listen: cannot listen on"):
        web.serve(world.app, listen)


def test_taken_port_is_the_operators_mistake(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match="Address already in use"):
            web.serve(world.app, listen)


def test_localhost_with_two_addresses(world: World) -> None:
    """`localhost` may be ::1 and 127.0.0.1; both answer and both end."""
    server = web.serve(world.app, "localhost:0")
    server.start()
    with closing(http.client.HTTPConnection(server.address, timeout=10)) as client:
        client.request("GET", "/healthz")
        assert client.getresponse().status == 200
    server.close()


def test_pages_below_a_prefix_with_and_without_a_stripping_proxy(world: World) -> None:
    app = web.create(world.environments, world.journal, TOKEN, "https://example.org/gitops", dict)
    server = web.serve(app, "127.0.0.1:0")
    server.start()
    with closing(http.client.HTTPConnection(server.address, timeout=10)) as client:
        for path in ("/gitops/login", "/login"):
            client.request("GET", path)
            answer = client.getresponse()
            assert answer.status == 200
            assert b'href="/gitops/static/style.css' in answer.read()
    server.close()
