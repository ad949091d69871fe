"""Failure mode 66: clocks. Tokens and certificates are as good as the clocks of those who look at them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import pytest

from gitops_agent.container.project import ProjectEngine
from gitops_agent.doctor import clocks
from gitops_agent.doctor.finding import Finding
from tests.doctor.conftest import bad
from tests.fakes.http import Server

At = Callable[[float], str]


@pytest.fixture
def at() -> Iterator[At]:
    """`at(-300)`: the address of a server whose clock is five minutes behind."""
    servers: list[Server] = []

    def start(ahead: float) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(503)
                self.send_header("Date", formatdate(time.time() + ahead, usegmt=True))
                self.end_headers()

        servers.append(Server(0, Handler))
        return f"http://127.0.0.1:{servers[-1].port}"

    yield start
    for server in servers:
        server.stop()


def _look(address: str) -> list[Finding]:
    return list(clocks.look({"vault": (address, "/v1/sys/health", None)}))


def test_failure_mode_66_a_clock_that_jumped(at: At) -> None:
    """As that of Colima's machine after the Mac slept; a `Date` is in whole seconds and no reason for a false alarm."""
    for ahead in (-1.2, 0.0, 1.2):
        assert bad(_look(at(ahead))) == {}
    assert bad(_look(at(-300)))["vault"].startswith(("is 4 min 59 s behind", "is 5 min"))
    (ahead,) = _look(at(3600))
    assert ahead.said.endswith("ahead of this host")
    assert "colima ssh -- sudo hwclock --hctosys" in ahead.remedy


def test_a_system_that_is_away_is_said_elsewhere(free_port: Callable[[], int]) -> None:
    assert _look(f"http://127.0.0.1:{free_port()}") == []


@pytest.mark.server
def test_the_clock_of_the_engine_s_machine() -> None:
    engine = ProjectEngine("", "gitops-agent-test-clock", 30)
    try:
        assert [finding.said for finding in clocks.look({}, engine.clock)] == ["agrees with this host"]
    finally:
        engine.close()
    assert bad(clocks.look({}, lambda: time.time() - 60))["Docker's machine"] == "is 1 min behind this host"
