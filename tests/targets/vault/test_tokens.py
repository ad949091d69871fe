"""What only Vault has: Consul and Nomad tokens from its engines, and audit devices through the API."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed
from gitops_agent.model import Files
from gitops_agent.secret import Secret, placeholder
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import converge, plan
from tests.conformance.subject import KEY, REFERENCE
from tests.targets.consul.server import ConsulServer
from tests.targets.proxy import Proxy
from tests.targets.vault.server import VaultServer

Make = Callable[..., Vault]


@pytest.fixture
def consul(
    vault: VaultServer, binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> Iterator[ConsulServer]:
    if not vault.is_vault:
        pytest.xfail("OpenBao has no consul engine")
    running = ConsulServer(binary("consul"), tmp_path, free_port)
    yield running
    vault.call("DELETE", "sys/mounts/consul")  # revokes what it issued, for which it needs Consul
    running.stop()


def test_consul_tokens_are_issued(make: Make, vault: VaultServer, consul: ConsulServer, proxy: Proxy) -> None:
    consul.call("PUT", "/v1/acl/policy", {"Name": "shop", "Rules": 'key_prefix "shop/" { policy = "read" }'})
    secrets = {REFERENCE: consul.secret}
    token = placeholder(Secret(REFERENCE), KEY)
    files: Files = {
        "secrets-engines.yaml": b"consul: {type: consul, config: {max_lease_ttl: 2h}}\nnomad: {type: nomad}\n",
        "paths.yaml": (
            f"consul/config/access: {{address: '{consul.url.removeprefix('http://')}', token: '{token}'}}\n"
            "consul/roles/shop: {consul_policies: [shop], ttl: 1h}\n"
            f"nomad/config/access: {{address: 'http://127.0.0.1:1', token: '{token}'}}\n"
            "nomad/config/lease: {ttl: 1h, max_ttl: 2h}\n"
            "nomad/role/deploy: {policies: [deploy], global: true}\n"
        ).encode(),
    }
    converge(make(secrets=["file:*"]), files, secrets=secrets)
    issued = vault.data("consul/creds/shop")
    assert consul.call("GET", "/v1/kv/shop/?recurse=true", token=issued["token"]) is None
    assert vault.data("nomad/role/deploy")["policies"] == ["deploy"]
    wrote = len(proxy.writes)
    assert not converge(make(secrets=["file:*"]), files, applied=files, secrets=secrets)
    assert len(proxy.writes) == wrote
    vault.call("DELETE", "sys/mounts/gitops-agent")
    made = converge(make(secrets=["file:*"]), files, secrets=secrets)
    assert {change.action for change in made} == {"adopt"}, "the same repository on a Vault that holds all of it"
    fewer = {**files, "paths.yaml": files["paths.yaml"].replace(b"consul/roles/shop: {consul_policies: [shop], ttl: 1h}\n", b"")}
    converge(make(secrets=["file:*"]), fewer, applied=files, secrets=secrets)
    assert vault.data("consul/roles/shop") is None


def test_nomad_tokens_are_issued(make: Make, vault: VaultServer) -> None:
    if not vault.is_vault:
        pytest.xfail("OpenBao has no nomad engine")
    if "NOMAD_LIVE_TOKEN" not in os.environ:
        pytest.skip("NOMAD_LIVE and NOMAD_LIVE_TOKEN name a Nomad and its management token")
    token = placeholder(Secret(REFERENCE), KEY)
    files: Files = {
        "secrets-engines.yaml": b"nomad: {type: nomad}\n",
        "paths.yaml": (
            f"nomad/config/access: {{address: '{os.environ['NOMAD_LIVE']}', token: '{token}'}}\n"
            "nomad/role/admin: {type: management}\n"
        ).encode(),
    }
    secrets = {REFERENCE: os.environ["NOMAD_LIVE_TOKEN"]}
    converge(make(secrets=["file:*"]), files, secrets=secrets)
    assert len(vault.data("nomad/creds/admin")["secret_id"]) == 36
    assert not plan(make(secrets=["file:*"]), files, applied=files, secrets=secrets)


def test_audit_devices(make: Make, vault: VaultServer, tmp_path: Path) -> None:
    first: Files = {"audit.yaml": f"file: {{type: file, options: {{file_path: {tmp_path}/audit.log, log_raw: false}}}}\n".encode()}
    second: Files = {"audit.yaml": first["audit.yaml"].replace(b"audit.log", b"other.log")}
    if not vault.is_vault:
        with pytest.raises(ApplyFailed, match="config-based audit device management"):
            converge(make(), first)
        return
    converge(make(), first)
    assert not plan(make(), first, applied=first)
    converge(make(), second, applied=first)
    assert vault.data("sys/audit")["file/"]["options"]["file_path"] == f"{tmp_path}/other.log"
    none: Files = {"policies/a.hcl": b'path "a" { capabilities = ["read"] }'}
    converge(make(), none, applied=second)
    assert vault.data("sys/audit") == {}
