"""A fake Concourse in CI; with CONCOURSE_LIVE, CONCOURSE_USER and CONCOURSE_PASSWORD (an owner of team main) a real one as well.

The target works as the client `fly`, which every Concourse has, with the roles that the docs ship in a team of its own, emptied for
each test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.target import Site
from gitops_agent.targets.concourse import TARGET
from gitops_agent.targets.concourse.target import ConcourseTarget
from tests.conformance.subject import KEY
from tests.fakes.concourse import PASSWORD, USER, FakeConcourse
from tests.targets.concourse.server import ConcourseServer
from tests.targets.proxy import Proxy

ROLES = Path(__file__).parents[3] / "docs/targets/concourse-team.json"
ENVIRONMENT = "conformance"

_SERVERS = ["fake"]
if "CONCOURSE_LIVE" in os.environ:
    _SERVERS.append(pytest.param("live", marks=pytest.mark.live))  # type: ignore[arg-type]


@pytest.fixture(scope="session", params=_SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[ConcourseServer]:
    live = request.param == "live"
    user = os.environ["CONCOURSE_USER"] if live else USER
    with FakeConcourse() as fake:
        password = os.environ["CONCOURSE_PASSWORD"] if live else PASSWORD
        made = ConcourseServer(os.environ["CONCOURSE_LIVE"] if live else fake.url, user, password)
        roles = ROLES.read_text().replace("local:admin", f"local:{user}").replace("local:gitops-agent", "client:fly")
        made.set_team(json.loads(roles))
        yield made
        made.close()


@pytest.fixture
def concourse(server: ConcourseServer) -> Iterator[ConcourseServer]:
    server.empty()
    yield server
    server.empty()


@pytest.fixture
def proxy(concourse: ConcourseServer) -> Iterator[Proxy]:
    with Proxy(concourse.url).running() as proxy:
        yield proxy


@pytest.fixture
def make(proxy: Proxy, tmp_path: Path) -> Iterator[Callable[..., ConcourseTarget]]:
    """`make(**settings)`: a target as after a start of the agent."""
    made: list[ConcourseTarget] = []
    (tmp_path / "secret").write_text("Zmx5\n")

    def build(**more: Any) -> ConcourseTarget:
        secret_file = str(tmp_path / "secret")
        table = {
            "kind": "concourse",
            "name": "concourse",
            "address": proxy.url,
            "client": "fly",
            "password_file": secret_file,
            **more,
        }
        made.append(TARGET(TARGET.Settings.model_validate(table), Site(ENVIRONMENT, tmp_path, KEY)))
        return made[-1]

    yield build
    for target in made:
        target.close()
