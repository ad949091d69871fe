"""Time that is left, and what lets the agent in: on a real Consul and a real OpenBao."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.doctor import consul, vault
from gitops_agent.targets.consul.settings import ConsulSettings
from gitops_agent.targets.vault.settings import VaultSettings
from tests.doctor.conftest import bad
from tests.doctor.stage import STACK
from tests.targets.consul.server import ConsulServer
from tests.targets.vault.server import VaultServer

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture(scope="module")
def running(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConsulServer]:
    server = ConsulServer(binary("consul"), tmp_path_factory.mktemp("consul"), free_port)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bao(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VaultServer]:
    server = VaultServer(binary("bao"), tmp_path_factory.mktemp("bao"), free_port)
    yield server
    server.stop()


def test_the_time_that_a_consul_token_has_left(running: ConsulServer, tmp_path: Path) -> None:
    settings = ConsulSettings(kind="consul", name="consul", address=running.url)
    for name, ttl in (("soon", "600s"), ("later", "86400s")):
        made = running.call("PUT", "/v1/acl/token", {"ExpirationTTL": ttl})
        (tmp_path / f"{name}-consul-token").write_text(made["SecretID"])
    found = {finding.what: finding.said for finding in consul.tokens(settings, tmp_path)}
    assert found["soon-consul-token"].startswith(("expires in 9 min", "expires in 10 min"))
    assert found["later-consul-token"].startswith(("expires in 23 h", "expires in 24 h"))


def test_the_agent_s_own_consul_token(running: ConsulServer, tmp_path: Path) -> None:
    settings = ConsulSettings(kind="consul", name="consul", address=running.url, token_file=tmp_path / "token")
    (tmp_path / "token").write_text("00000000-0000-4000-8000-000000000000")
    assert list(bad(consul.look(settings, STACK))) == ["the agent's token"]
    (tmp_path / "token").write_text(running.secret)
    said = {finding.what: finding.said for finding in consul.look(settings, STACK)}
    assert said["the agent's token"] == "is valid and never expires"


def test_a_vault_token_that_was_revoked(bao: VaultServer, tmp_path: Path) -> None:
    settings = VaultSettings(kind="vault", name="vault", address=bao.url)
    auth = bao.call("POST", "auth/token/create", {"policies": ["default"]})["auth"]
    (tmp_path / "prometheus-vault-token").write_text(auth["client_token"])
    (finding,) = vault.tokens(settings, tmp_path)
    assert finding.said.startswith(("expires in 31 d", "expires in 32 d"))
    bao.call("POST", "auth/token/revoke-accessor", {"accessor": auth["accessor"]})
    assert "does not know it" in bad(vault.tokens(settings, tmp_path))["prometheus-vault-token"]


def test_the_agent_s_secret_id_and_its_end(bao: VaultServer, tmp_path: Path) -> None:
    """It leaves no token behind: what it looks with it revokes."""
    bao.call("POST", "sys/auth/approle", {"type": "approle"})
    rules = 'path "sys/mounts" { capabilities = ["read"] }\npath "auth/approle/role/*" { capabilities = ["update"] }'
    bao.call("PUT", "sys/policies/acl/agent", {"policy": rules})
    bao.call("POST", "auth/approle/role/agent", {"role_id": "agent", "token_policies": ["agent"], "secret_id_ttl": "2h"})
    (tmp_path / "secret-id").write_text(bao.call("POST", "auth/approle/role/agent/secret-id")["data"]["secret_id"])
    table = {"kind": "vault", "name": "vault", "address": bao.url, "role_id": "agent", "secret_id_file": tmp_path / "secret-id"}
    settings = VaultSettings.model_validate(table)
    before = len(bao.call("LIST", "auth/token/accessors")["data"]["keys"])
    said = bad(vault.look(settings, STACK, {"consul": False}))
    assert said["the agent's secret id"].startswith(("expires in 1 h 59 min", "expires in 2 h"))
    assert len(bao.call("LIST", "auth/token/accessors")["data"]["keys"]) == before
    (tmp_path / "secret-id").write_text("no-secret-id-of-this-role")
    assert "refused the login of AppRole agent" in bad(vault.look(settings, STACK, {}))["access"]


def test_engines_that_should_be_there(bao: VaultServer, tmp_path: Path) -> None:
    """OpenBao has none of Consul's and Nomad's: where the values say that Vault runs there, they are missed."""
    (tmp_path / "token").write_text(bao.root)
    settings = VaultSettings(kind="vault", name="vault", address=bao.url, token_file=tmp_path / "token")
    assert bad(vault.look(settings, STACK, {"consul": False, "nomad": False})) == {}
    missed = bad(vault.look(settings, STACK, {"consul": True, "nomad": True}))
    assert missed == {f"issues tokens of {kind}": f"has no secrets engine {kind}" for kind in ("consul", "nomad")}
