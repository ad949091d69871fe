"""A fake Gitea in CI; with GITEA_LIVE, GITEA_LIVE_USER and GITEA_LIVE_PASSWORD, an administrator's, a real one as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.target import Site
from gitops_agent.targets.gitea import TARGET
from gitops_agent.targets.gitea.target import GiteaTarget
from tests.conformance.subject import KEY
from tests.fakes.gitea import FakeGitea
from tests.targets.gitea.server import SCOPES, GiteaServer
from tests.targets.proxy import Proxy

_ADMIN = ("admin", "admins-password")
_SERVERS = ["fake"]
if "GITEA_LIVE" in os.environ:
    _SERVERS.append(pytest.param("live", marks=pytest.mark.live))  # type: ignore[arg-type]


@pytest.fixture(scope="session", params=_SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[GiteaServer]:
    if request.param == "live":
        yield GiteaServer(os.environ["GITEA_LIVE"], (os.environ["GITEA_LIVE_USER"], os.environ["GITEA_LIVE_PASSWORD"]))
    else:
        with FakeGitea() as fake:
            fake.add_user(*_ADMIN, admin=True)
            yield GiteaServer(fake.url, _ADMIN)


@pytest.fixture(scope="session")
def least_privilege(server: GiteaServer) -> str:
    """A token with exactly the scopes that the docs name."""
    return server.token(*SCOPES)


@pytest.fixture
def gitea(server: GiteaServer) -> Iterator[GiteaServer]:
    server.empty()
    yield server
    server.empty()


@pytest.fixture
def proxy(gitea: GiteaServer) -> Iterator[Proxy]:
    with Proxy(gitea.url).running() as proxy:
        yield proxy


@pytest.fixture
def token_file(tmp_path: Path, least_privilege: str) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{least_privilege}\n")
    return path


@pytest.fixture
def make(proxy: Proxy, token_file: Path, tmp_path: Path) -> Iterator[Callable[..., GiteaTarget]]:
    """`make(**settings)`: a target as after a start of the agent."""
    made: list[GiteaTarget] = []

    def build(**more: Any) -> GiteaTarget:
        table = {"kind": "gitea", "name": "gitea", "address": proxy.url, "token_file": str(token_file), **more}
        target = TARGET(TARGET.Settings.model_validate(table), Site("conformance", tmp_path, KEY))
        made.append(target)
        return target

    yield build
    for target in made:
        target.close()
