"""One real Consul for all tests of this directory, emptied for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.target import Site
from gitops_agent.targets.consul import TARGET
from gitops_agent.targets.consul.target import Consul
from tests.conformance.subject import KEY
from tests.targets.consul.server import ConsulServer
from tests.targets.proxy import Proxy

POLICY = Path(__file__).parents[3] / "docs/targets/consul-policy.hcl"
EVERYTHING = POLICY.with_name("consul-policy-everything.hcl")
ENVIRONMENT = "conformance"


_SERVERS = [pytest.param("consul", marks=pytest.mark.server)]
if "CONSUL_LIVE_BIN" in os.environ:
    _SERVERS.append(pytest.param("consul-live", marks=pytest.mark.live))


@pytest.fixture(scope="session", params=_SERVERS)
def server(
    request: pytest.FixtureRequest,
    binary: Callable[[str], str],
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ConsulServer]:
    """Twice: the one that script/servers installs, and, for `live` runs, the newer one that CONSUL_LIVE_BIN names."""
    running = ConsulServer(binary(request.param), tmp_path_factory.mktemp("consul"), free_port)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def least_privilege(server: ConsulServer) -> str:
    """A token with exactly the policy that the docs ship."""
    return server.token(POLICY.read_text().replace("mini-cloud", ENVIRONMENT))


@pytest.fixture(scope="session")
def everything(server: ConsulServer) -> str:
    """A token with exactly the policy that the docs ship for a folder with more than keys in it."""
    return server.token(EVERYTHING.read_text().replace("mini-cloud", ENVIRONMENT))


@pytest.fixture
def consul(server: ConsulServer) -> ConsulServer:
    server.empty()
    return server


@pytest.fixture
def proxy(consul: ConsulServer) -> Iterator[Proxy]:
    with Proxy(consul.url).running() as proxy:
        yield proxy


@pytest.fixture
def token_file(tmp_path: Path, least_privilege: str) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{least_privilege}\n")
    return path


@pytest.fixture
def make(proxy: Proxy, token_file: Path, tmp_path: Path) -> Iterator[Callable[..., Consul]]:
    """`make(**settings)`: a target as after a start of the agent."""
    made: list[Consul] = []

    def build(**more: Any) -> Consul:
        table = {"kind": "consul", "name": "consul", "address": proxy.url, "token_file": str(token_file), **more}
        target = TARGET(TARGET.Settings.model_validate(table), Site(ENVIRONMENT, tmp_path, KEY))
        made.append(target)
        return target

    yield build
    for target in made:
        target.close()
