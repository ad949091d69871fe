"""One real OpenBao (and, for live runs, a real Vault) for all tests of this directory, emptied for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.target import Site
from gitops_agent.targets.vault import TARGET
from gitops_agent.targets.vault.target import Vault
from tests.conformance.subject import KEY
from tests.targets.proxy import Proxy
from tests.targets.vault.server import VaultServer

POLICY = Path(__file__).parents[3] / "docs/targets/vault-policy.hcl"
ENVIRONMENT = "conformance"

_SERVERS = [pytest.param("bao", marks=pytest.mark.server)]
if "VAULT_LIVE_BIN" in os.environ:
    _SERVERS.append(pytest.param("vault-live", marks=pytest.mark.live))


@pytest.fixture(scope="session", params=_SERVERS)
def server(
    request: pytest.FixtureRequest,
    binary: Callable[[str], str],
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[VaultServer]:
    """Twice: the OpenBao that script/servers installs, and, for `live` runs, the Vault that VAULT_LIVE_BIN names."""
    running = VaultServer(binary(request.param), tmp_path_factory.mktemp("vault"), free_port)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def least_privilege(server: VaultServer) -> str:
    """A token with exactly the policy that the docs ship."""
    return server.token(POLICY.read_text().replace("mini-cloud", ENVIRONMENT))


@pytest.fixture
def vault(server: VaultServer) -> VaultServer:
    server.empty()
    return server


@pytest.fixture
def proxy(vault: VaultServer) -> Iterator[Proxy]:
    with Proxy(vault.url).running() as proxy:
        yield proxy


@pytest.fixture
def token_file(tmp_path: Path, least_privilege: str) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{least_privilege}\n")
    return path


@pytest.fixture
def make(proxy: Proxy, token_file: Path, tmp_path: Path) -> Iterator[Callable[..., Vault]]:
    """`make(**settings)`: a target as after a start of the agent."""
    made: list[Vault] = []

    def build(**more: Any) -> Vault:
        table = {"kind": "vault", "name": "vault", "address": proxy.url, "token_file": str(token_file), **more}
        target = TARGET(TARGET.Settings.model_validate(table), Site(ENVIRONMENT, tmp_path, KEY))
        made.append(target)
        return target

    yield build
    for target in made:
        target.close()
