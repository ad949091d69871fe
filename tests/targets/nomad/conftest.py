"""A fake Nomad in CI; with NOMAD_LIVE and NOMAD_TOKEN, a management token, a real one as well. Emptied for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.target import Site
from gitops_agent.targets.nomad import TARGET
from gitops_agent.targets.nomad.target import Nomad
from tests.conformance.subject import KEY
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.targets.nomad.server import NomadServer
from tests.targets.proxy import Proxy

POLICY = Path(__file__).parents[3] / "docs/targets/nomad-policy.hcl"
ENVIRONMENT = "conformance"

_SERVERS = ["fake"]
if "NOMAD_LIVE" in os.environ:
    _SERVERS.append(pytest.param("live", marks=pytest.mark.live))  # type: ignore[arg-type]


@pytest.fixture(scope="session", params=_SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[NomadServer]:
    if request.param == "live":
        yield NomadServer(os.environ["NOMAD_LIVE"], os.environ["NOMAD_TOKEN"])
    else:
        with FakeNomad() as fake:
            yield NomadServer(fake.url, MANAGEMENT)


@pytest.fixture(scope="session")
def least_privilege(server: NomadServer) -> str:
    """A token with exactly the policy that the docs ship."""
    return server.token(POLICY.read_text().replace("mini-cloud", ENVIRONMENT))


@pytest.fixture
def nomad(server: NomadServer) -> Iterator[NomadServer]:
    server.empty()
    yield server
    server.empty()


@pytest.fixture
def proxy(nomad: NomadServer) -> Iterator[Proxy]:
    with Proxy(nomad.url).running() as proxy:
        yield proxy


@pytest.fixture
def token_file(tmp_path: Path, least_privilege: str) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{least_privilege}\n")
    return path


@pytest.fixture
def management_file(tmp_path: Path, server: NomadServer) -> Path:
    path = tmp_path / "management"
    path.write_text(server.management)
    return path


@pytest.fixture
def make(proxy: Proxy, token_file: Path, tmp_path: Path) -> Iterator[Callable[..., Nomad]]:
    """`make(**settings)`: a target as after a start of the agent."""
    made: list[Nomad] = []

    def build(**more: Any) -> Nomad:
        table = {"kind": "nomad", "name": "nomad", "address": proxy.url, "token_file": str(token_file), **more}
        target = TARGET(TARGET.Settings.model_validate(table), Site(ENVIRONMENT, tmp_path, KEY))
        made.append(target)
        return target

    yield build
    for target in made:
        target.close()
