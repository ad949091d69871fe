"""What the doctor names in a real Consul and a real OpenBao."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.doctor import consul, vault
from gitops_agent.targets.consul.settings import ConsulSettings
from gitops_agent.targets.vault.settings import VaultSettings
from tests.doctor.conftest import Answers, bad
from tests.targets.consul.server import ConsulServer
from tests.targets.vault.server import VaultServer

pytestmark = pytest.mark.slow


@pytest.fixture
def running(binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path) -> Iterator[ConsulServer]:
    server = ConsulServer(binary("consul"), tmp_path, free_port)
    yield server
    server.stop()


@pytest.fixture
def bao(binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path) -> Iterator[VaultServer]:
    server = VaultServer(binary("bao"), tmp_path, free_port)
    yield server
    server.stop()


@pytest.mark.server
def test_a_stale_registration_is_named_and_deregistered(running: ConsulServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(running.secret)
    settings = ConsulSettings(kind="consul", name="consul", address=running.url, token_file=tmp_path / "token")
    assert bad(consul.look(settings)) == {}
    node = {
        "Node": "worker9",
        "Address": "192.0.2.9",
        "Service": {"ID": "shop-1", "Service": "shop", "Port": 80},
        "Check": {"CheckID": "serfHealth", "Name": "Serf Health Status", "Status": "critical"},
    }
    running.call("PUT", "/v1/catalog/register", node)
    (stale,) = [finding for finding in consul.look(settings) if not finding.ok]
    assert stale.said == "shop-1 is registered on the node worker9, which is gone"
    assert stale.repair is not None
    stale.repair.make()
    assert bad(consul.look(settings)) == {}


@pytest.mark.server
def test_a_consul_token_that_has_expired(running: ConsulServer, tmp_path: Path) -> None:
    settings = ConsulSettings(kind="consul", name="consul", address=running.url)
    made = running.call("PUT", "/v1/acl/token", {"ExpirationTTL": "60s"})
    (tmp_path / "worker-consul-token").write_text(made["SecretID"])
    assert bad(consul.tokens(settings, tmp_path))["worker-consul-token"].startswith("expires in")
    running.call("DELETE", f"/v1/acl/token/{made['AccessorID']}")
    assert "has expired or was deleted" in bad(consul.tokens(settings, tmp_path))["worker-consul-token"]


def test_a_consul_without_a_leader(serve: Callable[[Answers], str]) -> None:
    url = serve({"GET /v1/status/leader": (200, '""')})
    assert list(bad(consul.look(ConsulSettings(kind="consul", name="consul", address=url)))) == ["leader"]


@pytest.mark.server
def test_a_vault_that_is_sealed(bao: VaultServer) -> None:
    settings = VaultSettings(kind="vault", name="vault", address=bao.url)
    assert bad(vault.look(settings)) == {}
    bao.seal()
    assert bad(vault.look(settings)) == {"open": "is sealed: nobody gets a secret"}


@pytest.mark.server
def test_a_vault_token_about_to_expire_is_renewed(bao: VaultServer, tmp_path: Path) -> None:
    settings = VaultSettings(kind="vault", name="vault", address=bao.url)
    auth = bao.call("POST", "auth/token/create", {"period": "30s", "policies": ["default"]})["auth"]
    (tmp_path / "prometheus-vault-token").write_text(auth["client_token"])
    (finding,) = vault.tokens(settings, tmp_path)
    assert (finding.ok, finding.said.startswith("expires in")) == (False, True)
    assert finding.repair is not None
    before = _ends(bao, auth["accessor"])
    deadline = time.monotonic() + 10
    while _ends(bao, auth["accessor"]) <= before and time.monotonic() < deadline:
        finding.repair.make()
    assert _ends(bao, auth["accessor"]) > before
    bao.call("POST", "auth/token/revoke-accessor", {"accessor": auth["accessor"]})
    assert "does not know it" in bad(vault.tokens(settings, tmp_path))["prometheus-vault-token"]


def _ends(bao: VaultServer, accessor: str) -> str:
    return str(bao.call("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]["expire_time"])
