"""Who the agent is in Vault: token files, AppRole, and what is said when neither will do. Failure mode 46."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.model import Files
from gitops_agent.targets.vault.login import AppRole
from gitops_agent.targets.vault.target import Vault
from tests.conformance.converge import converge, plan
from tests.targets.proxy import Proxy
from tests.targets.vault.server import VaultServer

Make = Callable[..., Vault]
FILES: Files = {"policies/one.hcl": b'path "a" {\n  capabilities = ["read"]\n}\n'}


class Issuer:
    """Vault's half of AppRole, with a clock: `lease` seconds a time, `maximum` in all."""

    def __init__(self, lease: float, maximum: float) -> None:
        self.now, self.calls = 1000.0, list[str]()
        self.refuse = False
        self._lease, self._maximum, self._ends = lease, maximum, 0.0

    def __call__(self, path: str, body: Mapping[str, Any], token: str) -> Mapping[str, Any] | None:
        self.calls.append(path)
        if self.refuse:
            return None
        if path.endswith("/login"):
            self._ends = self.now + self._maximum
        duration = min(self._lease, self._ends - self.now)
        return {"client_token": f"token-of-{len(self.calls)}", "lease_duration": duration, "renewable": True}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(lease=60, maximum=600)


@pytest.fixture
def approle(tmp_path: Path, issuer: Issuer) -> AppRole:
    (tmp_path / "secret-id").write_text("secret-id-one\n")
    return AppRole("approle", "role", tmp_path / "secret-id", clock=lambda: issuer.now)


def test_one_login_a_lifetime(approle: AppRole, issuer: Issuer) -> None:
    tokens = set()
    for _ in range(540):
        tokens.add(approle.token(issuer))
        issuer.now += 1
    assert len(tokens) == 1
    assert issuer.calls.count("auth/approle/login") == 1
    assert 9 <= issuer.calls.count("auth/token/renew-self") <= 15
    for _ in range(600):
        tokens.add(approle.token(issuer))
        issuer.now += 1
    assert issuer.calls.count("auth/approle/login") == 2, "near the end of what renewing gives, a new login and no storm"
    assert len(issuer.calls) < 40


def test_a_token_that_ended_while_nobody_asked(approle: AppRole, issuer: Issuer) -> None:
    approle.token(issuer)
    issuer.now += 1000
    approle.token(issuer)
    assert issuer.calls == ["auth/approle/login", "auth/approle/login"]


def test_a_refused_secret_id_is_not_tried_again_and_again(approle: AppRole, issuer: Issuer, tmp_path: Path) -> None:
    issuer.refuse = True
    for _ in range(5):
        with pytest.raises(Unavailable, match=r"^vault refused the login of AppRole role with the secret id in .*/secret-id$"):
            approle.token(issuer)
    assert issuer.calls == ["auth/approle/login"]
    issuer.refuse = False
    (tmp_path / "secret-id").write_text("secret-id-two")
    assert approle.token(issuer)
    assert secret.mask("secret-id-two") == "(sensitive)"


def test_approle_on_a_real_server(make: Make, vault: VaultServer, proxy: Proxy, tmp_path: Path) -> None:
    """One login for many runs; a revoked token is told from a missing permission, and the next run logs in."""
    vault.call("POST", "sys/auth/approle", {"type": "approle"})
    vault.call("POST", "auth/approle/role/agent", {"token_policies": ["zz-agent"], "token_ttl": "1h", "role_id": "agent"})
    told = vault.call("POST", "auth/approle/role/agent/secret-id", {})["data"]
    (tmp_path / "secret-id").write_text(told["secret_id"])
    target = make(token_file=None, role_id="agent", secret_id_file=str(tmp_path / "secret-id"))
    for _ in range(3):
        converge(target, FILES)
    assert proxy.calls.count("POST /v1/auth/approle/login") == 1
    vault.call("POST", "auth/approle/role/agent/secret-id/destroy", {"secret_id": told["secret_id"]})
    vault.call("DELETE", "sys/auth/approle")
    with pytest.raises(Unavailable, match=r"^vault does not know the agent's token \(AppRole agent\)$"):
        plan(target, FILES)
    with pytest.raises(Unavailable, match=r"^vault refused the login of AppRole agent"):
        plan(target, FILES)


def test_a_rotated_token_is_taken_up(make: Make, token_file: Path, vault: VaultServer) -> None:
    """Failure mode 10."""
    target = make()
    converge(target, FILES)
    good = token_file.read_text()
    token_file.write_text("hvs.nobody\n")
    with pytest.raises(Unavailable, match=r"^vault does not know the agent's token \(.*/token\)$"):
        plan(target, FILES)
    token_file.write_text(good)
    assert not plan(target, FILES)
    for nonsense in ("", "two\nlines", "ümlaut"):
        token_file.write_text(nonsense)
        with pytest.raises(Unavailable, match=r"holds nothing that can be one"):
            plan(target, FILES)
    token_file.unlink()
    with pytest.raises(Unavailable, match=r"cannot be read: No such file"):
        plan(target, FILES)


def test_a_missing_permission_is_named(make: Make, vault: VaultServer, token_file: Path) -> None:
    vault.call("PUT", "sys/policies/acl/poor", {"policy": 'path "gitops-agent/*" { capabilities = ["create", "read", "update"] }'})
    token = vault.call("POST", "auth/token/create", {"policies": ["poor"]})["auth"]["client_token"]
    token_file.write_text(token)
    with pytest.raises(Unavailable, match=r"^vault: the agent's token lacks list on sys/policies/(detailed/)?acl$"):
        plan(make(), FILES)
    more = 'path "gitops-agent/*" { capabilities = ["read"] } path "sys/policies/*" { capabilities = ["list", "read"] }'
    vault.call("PUT", "sys/policies/acl/poor", {"policy": more})
    with pytest.raises(ApplyFailed, match=r"^vault: the agent's token lacks create and update on sys/mounts/gitops-agent$"):
        converge(make(), FILES)


def test_the_environment_says_nothing(make: Make, vault: VaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the configuration names no token there is none, whatever lies around."""
    monkeypatch.setenv("VAULT_TOKEN", vault.root)
    with pytest.raises(Unavailable, match=r"^vault does not know the agent's token \(none is configured\)$"):
        plan(make(token_file=None), FILES)


def test_sealed_waits_and_comes_back(make: Make, vault: VaultServer) -> None:
    """Failure mode 46: said so, nothing is touched, and the next run goes on."""
    target = make()
    converge(target, FILES)
    vault.seal()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"^vault is sealed: unseal it \(0 of 1 keys so far\)$"):
                plan(target, FILES)
        with pytest.raises(Unavailable, match=r"^vault is sealed"):
            target.health()
    finally:
        vault.unseal()
    assert not plan(target, FILES)


def test_nobody_there(make: Make, free_port: Callable[[], int]) -> None:
    port = free_port()
    with pytest.raises(Unavailable, match=f"^vault cannot be reached at http://127.0.0.1:{port}: connection refused$"):
        plan(make(address=f"http://127.0.0.1:{port}"), FILES)
