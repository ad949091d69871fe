"""Vault: initialised, open, and tokens with time left."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings, Repair
from gitops_agent.targets.vault.settings import VaultSettings

_STATES = (429, 472, 473, 501, 503)
"""What `sys/health` answers for a Vault that is on standby, not initialised or sealed."""


def _api(settings: VaultSettings, token: str = "") -> Api:
    headers = {"X-Vault-Token": token} if token else {}
    return Api("vault", settings.address, headers=headers, timeout=5, ca_file=settings.ca_file)


def look(settings: VaultSettings) -> Findings:
    with closing(_api(settings)) as api:
        health = api.call("GET", "/v1/sys/health", accept=_STATES).data
    if not health["initialized"]:
        yield Finding(settings.name, "initialised", False, "is not initialised", "vault operator init")
    elif health["sealed"]:
        yield Finding(settings.name, "open", False, "is sealed: nobody gets a secret", "vault operator unseal (asks for a key)")
    else:
        yield Finding(settings.name, "open", True, f"is open, {health.get('version', '')}")
        if token := remaining.read(settings.token_file):
            yield _token(settings, token, "the agent's token")


def tokens(settings: VaultSettings, store: Path) -> Findings:
    with closing(_api(settings)) as api:
        if api.call("GET", "/v1/sys/health", accept=_STATES).status >= 500:
            return  # said already
    for name, token in remaining.stored(store, "-vault-token"):
        yield _token(settings, token, name)


def _token(settings: VaultSettings, token: str, what: str) -> Finding:
    with closing(_api(settings, token)) as api:
        answer = api.call("GET", "/v1/auth/token/lookup-self", accept=(403,))
    if answer.status == 403:
        return Finding(
            settings.name, what, False, "Vault does not know it: it has expired or was revoked", "put a new one into its file"
        )
    data = answer.data["data"]
    left = float(data["ttl"]) if data.get("expire_time") else None
    finding = remaining.token(settings.name, what, left, "vault token renew")
    if finding.ok or not data.get("renewable"):
        return finding

    def renew() -> None:
        with closing(_api(settings, token)) as api:
            api.call("POST", "/v1/auth/token/renew-self", json={})

    remedy = "gitops-agent doctor --fix, or vault token renew"
    return Finding(finding.system, finding.what, False, finding.said, remedy, Repair(f"renew {what} of {settings.name}", renew))
