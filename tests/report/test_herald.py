"""Notifications as they leave: through Apprise, to a service on loopback that may be away, refuse, or hang."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest

from gitops_agent.model import Outcome, Revision, Run
from gitops_agent.report import Heralds
from gitops_agent.report.courier import Pace
from gitops_agent.secret import mask
from tests.fakes.http import Server
from tests.worker.running import eventually as soon

pytestmark = pytest.mark.slow  # Apprise takes two seconds to begin with

KEY = b"k" * 32
eventually = partial(soon, timeout=60)  # each message starts a program that reads two hundred modules
A, B = (Revision("main", letter * 40, "subject", "Ann") for letter in "ab")


class Service:
    """Takes what Apprise's `json://` sends."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[dict[str, str]] = []
        self.asked = 0
        self.patience = threading.Event()
        self.patience.set()
        self.server = Server(0, type("Handler", (_Handler,), {"service": self}))

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.server.port}/hook/t0ps3cret-path"

    def titles(self) -> list[str]:
        return [message["title"] for message in self.heard]


class _Handler(BaseHTTPRequestHandler):
    service: ClassVar[Service]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.service.asked += 1
        self.service.patience.wait()
        if self.service.status == 200:
            self.service.heard.append(body)
        self.send_response(self.service.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.patience.set()
    made.server.stop()


def ended(revision: Revision, outcome: Outcome, message: str = "said") -> Run:
    return Run("id", "mini", "poll", revision, 0.0, outcome=outcome, message=message)


def heralds(tmp_path: Path, *addresses: str) -> Heralds:
    return Heralds(addresses, tmp_path, KEY, Pace(first=0.2, longest=0.5))


def test_failure_and_recovery_arrive_once_also_over_a_restart(service: Service, tmp_path: Path) -> None:
    first = heralds(tmp_path, service.address)
    for _ in range(3):
        first.tell(ended(A, Outcome.FAILURE, "web is degraded"), "http://agent/runs/1")
    eventually(lambda: service.heard)
    first.close(10)
    second = heralds(tmp_path, service.address)
    second.tell(ended(A, Outcome.FAILURE), "http://agent/runs/2")
    second.tell(ended(B, Outcome.SUCCESS), "http://agent/runs/3")
    eventually(lambda: len(service.heard) == 2)
    second.close(10)
    assert service.titles() == ["mini: failure", "mini: recovered"]
    assert service.heard[0]["message"] == "web is degraded\nmain aaaaaaaaaa subject (Ann)\nhttp://agent/runs/1"
    assert [message["type"] for message in service.heard] == ["failure", "success"]


def test_what_a_killed_agent_did_not_get_rid_of_is_told_after_the_next_start(service: Service, tmp_path: Path) -> None:
    service.status = 503
    first = heralds(tmp_path, service.address)
    first.tell(ended(A, Outcome.ERROR), "http://agent/runs/1")
    first.close(0)
    service.status = 200
    second = heralds(tmp_path, service.address)
    eventually(lambda: service.titles() == ["mini: error"])
    second.close()


def test_what_was_mended_before_anybody_heard_of_it_is_not_told(service: Service, tmp_path: Path) -> None:
    service.status = 503
    made = heralds(tmp_path, service.address)
    made.tell(ended(A, Outcome.FAILURE), "")
    eventually(lambda: service.asked)
    made.tell(ended(A, Outcome.SUCCESS), "")
    service.status = 200
    made.tell(ended(B, Outcome.ERROR), "")
    eventually(lambda: service.heard)
    made.close()
    assert service.titles() == ["mini: error"]


def test_a_storm_of_bad_commits_while_a_service_hangs_costs_the_teller_nothing_and_ends_in_the_newest(
    service: Service, tmp_path: Path
) -> None:
    other = Service()
    service.patience.clear()
    made = heralds(tmp_path, service.address, other.address)
    began = time.monotonic()
    commits = [Revision("main", f"{number:010x}{0:030x}") for number in range(200)]
    for commit in commits:
        made.tell(ended(commit, Outcome.ERROR), "")
    assert time.monotonic() - began < 10, "nobody waits for a service"
    eventually(lambda: other.heard and commits[-1].short in other.heard[-1]["message"], what="the other service waits for nobody")
    service.patience.set()
    eventually(lambda: any(commits[-1].short in message["message"] for message in service.heard))
    assert len(other.heard) < 5, "the newest, and what was the newest meanwhile"
    made.close()
    other.server.stop()


def test_no_address_is_ever_shown(service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from gitops_agent import secret

    service.status = 500
    bad = "nonsense://t0ps3cret-token"
    for address in (service.address, bad):
        secret.remember(address)

    def complained() -> set[str]:
        return {record.__dict__["service"] for record in caplog.records if record.levelno == logging.WARNING}

    with caplog.at_level(logging.DEBUG):
        made = heralds(tmp_path, service.address, bad)
        made.tell(ended(A, Outcome.FAILURE, f"cannot reach {service.address}"), "")
        eventually(lambda: complained() == {"1 (json)", "2 (nonsense)"})
        made.close(1)
    told = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    assert not [line for line in told if "t0ps3cret" in line]
    kept = "".join(file.read_text() for file in tmp_path.iterdir())
    assert "t0ps3cret" not in kept
    assert "t0ps3cret" not in mask(service.address)
