"""A Vault that was upgraded, as its API would show it: more built in, more fields in what it answers, some with values.

Failure mode 25.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from gitops_agent.errors import ApplyFailed
from gitops_agent.model import Action
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import converge, plan
from tests.targets.proxy import Proxy
from tests.targets.vault.server import VaultServer

Make = Callable[..., Vault]
FILES = {
    "secrets-engines.yaml": b'kv: {type: kv, options: {version: "2"}}\nt: {type: transit, config: {default_lease_ttl: 1h}}\n',
    "auth-methods.yaml": b"approle: {type: approle}\n",
    "policies/a.hcl": b'path "a" {\n  capabilities = ["read"]\n}\n',
    "policies/b.hcl": b'path "b" {\n  capabilities = ["read"]\n}\n',
    "paths.yaml": b"auth/approle/role/a: {token_policies: [a]}\nauth/approle/role/b: {token_policies: [b]}\n",
    "kv.yaml": b"kv/conformance/motd: {text: hello}\n",
}
LESS = {**FILES, "paths.yaml": b"auth/approle/role/a: {token_policies: [a]}\n"}
del LESS["policies/b.hcl"]
BUILT_IN = {
    "sys/mounts": {"agents/": {"type": "agents", "accessor": "agents_1", "config": {}, "options": None, "description": "built in"}},
    "sys/auth": {"spiffe/": {"type": "spiffe", "accessor": "spiffe_1", "config": {}, "options": None, "description": "built in"}},
}


def newer(more: dict[str, Any]) -> Callable[[str, bytes], bytes]:
    """`more` is in every mount, in the configuration of every mount, and in every role."""

    def rewrite(path: str, content: bytes) -> bytes:
        path = path.removeprefix("/v1/").partition("?")[0]
        data = json.loads(content).get("data") if content.startswith(b"{") else None
        if path in BUILT_IN:
            data = {name: {**mount, **more, "config": {**mount["config"], **more}} for name, mount in data.items()} | BUILT_IN[path]
        elif re.fullmatch(r"sys/policies/acl/?", path) and "keys" in (data or {}):
            data["keys"].append("agents-default")
        elif "/role/" in path and data and "keys" not in data:
            data |= more
        else:
            return content
        return json.dumps({"data": data, **(data if path in BUILT_IN else {})}).encode()

    return rewrite


def test_what_is_built_in_and_empty_fields_change_nothing(make: Make, vault: VaultServer, proxy: Proxy) -> None:
    converge(make(), FILES)
    proxy.rewrite = newer({"strict": False, "allowed_agents": [], "agent_ttl": 0, "mode": ""})
    assert not plan(make(), FILES, applied=FILES)
    gone = converge(make(), LESS, applied=FILES)
    assert {(change.action, change.name) for change in gone} == {
        (Action.DELETE, "policy:b"),
        (Action.DELETE, "path:auth/approle/role/b"),
    }
    assert "b" not in vault.policies()


@pytest.mark.parametrize("more", [{"mode": "strict"}, {"mode": {"agents": ["any"]}}])
def test_a_new_default_is_settled_by_one_update(make: Make, vault: VaultServer, proxy: Proxy, more: dict[str, Any]) -> None:
    """It might be what somebody else set: so it is taken back once. Where it stays, Vault itself chose it."""
    converge(make(), FILES)
    accessors = {path: mount["accessor"] for path, mount in vault.data("sys/mounts").items()}
    proxy.rewrite = newer(more)
    assert {change.action for change in converge(make(), FILES, applied=FILES)} == {Action.UPDATE}
    assert not plan(make(), FILES, applied=FILES)
    assert {path: mount["accessor"] for path, mount in vault.data("sys/mounts").items()} == accessors


def test_a_field_that_was_declared_and_stays_is_told(make: Make, vault: VaultServer, proxy: Proxy) -> None:
    proxy.rewrite = newer({"mode": "strict"})
    declared = {**FILES, "paths.yaml": b"auth/approle/role/a: {token_policies: [a], mode: strict}\n"}
    converge(make(), declared)
    assert not plan(make(), declared, applied=declared)
    with pytest.raises(ApplyFailed, match=r"path:auth/approle/role/a: mode cannot be taken back"):
        converge(make(), LESS, applied=declared)
