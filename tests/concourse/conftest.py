"""A fake Concourse in CI; with CONCOURSE_LIVE, CONCOURSE_USER and CONCOURSE_PASSWORD (an owner of team main) a real one as well.
CONCOURSE_IMAGE is then the JSON of what a task runs in: `{"rootfs_uri": …}` or `{"image_resource": …}`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_agent.concourse import Builds, Plan, Session, User, in_order, task
from tests.fakes.concourse import PASSWORD, USER, FakeConcourse

IMAGE: dict[str, object] = json.loads(os.environ.get("CONCOURSE_IMAGE", '{"rootfs_uri": "raw:///"}'))

TASK = {"platform": "linux", **IMAGE}


@dataclass(frozen=True)
class Server:
    """`fake` is None for a real one."""

    url: str
    user: str
    password: str
    fake: FakeConcourse | None


_SERVERS = ["fake"]
if "CONCOURSE_LIVE" in os.environ:
    _SERVERS.append(pytest.param("live", marks=pytest.mark.live))  # type: ignore[arg-type]


@pytest.fixture(params=_SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "live":
        yield Server(os.environ["CONCOURSE_LIVE"], os.environ["CONCOURSE_USER"], os.environ["CONCOURSE_PASSWORD"], None)
    else:
        with FakeConcourse() as fake:
            yield Server(fake.url, USER, PASSWORD, fake)


@pytest.fixture
def fake() -> Iterator[FakeConcourse]:
    with FakeConcourse() as fake:
        yield fake


@pytest.fixture
def log_in(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """`log_in(url)`, or with a name and password."""
    made: list[Session] = []

    def build(url: str, name: str = USER, password: str = PASSWORD) -> Session:
        path = tmp_path / f"password-of-{name}"
        path.write_text(f"{password}\n")
        made.append(Session(url, User(name, path), timeout=10))
        return made[-1]

    yield build
    for session in made:
        session.close()


@pytest.fixture
def builds(server: Server, log_in: Callable[..., Session]) -> Builds:
    return Builds(log_in(server.url, server.user, server.password), "main")


def running(command: str) -> Plan:
    return in_order(task("check", {**TASK, "run": {"path": "sh", "args": ["-c", command]}}))
