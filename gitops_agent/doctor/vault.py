"""Vault: initialised, open, the agent is let in, tokens have time left, and Consul's and Nomad's engines are set up."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings, Repair
from gitops_agent.doctor.stack import Stack
from gitops_agent.errors import AgentError, Unavailable
from gitops_agent.targets.vault.access import Access
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.settings import VaultSettings

_STATES = (429, 472, 473, 501, 503)
"""What `sys/health` answers for a Vault that is on standby, not initialised or sealed."""
_BOOTSTRAP = "gitops-agent bootstrap, in a clone of the config repo"


def look(settings: VaultSettings, stack: Stack, engines: Mapping[str, bool]) -> Findings:
    """`engines` are the systems whose tokens Vault may issue, and whether it has to."""
    with closing(_api(settings)) as api:
        health = api.call("GET", "/v1/sys/health", accept=_STATES).data
    if not health["initialized"]:
        yield Finding(settings.name, "initialised", False, "is not initialised", _BOOTSTRAP)
    elif health["sealed"]:
        remedy = f"gitops-agent bootstrap --unseal, or {stack.inside('vault', 'vault operator unseal', asks=True)}"
        yield Finding(settings.name, "open", False, "is sealed: nobody gets a secret", remedy)
    else:
        yield Finding(settings.name, "open", True, f"is open, {health.get('version', '')}")
        if token := remaining.read(settings.token_file):
            yield _token(settings, token, "the agent's token", f"put a new one into {settings.token_file}")
        if settings.token_file is not None or settings.role_id:
            yield from _as_the_agent(settings, engines)


def tokens(settings: VaultSettings, store: Path) -> Findings:
    """Those that programs have from the agent's store."""
    with closing(_api(settings)) as api:
        if api.call("GET", "/v1/sys/health", accept=_STATES).status >= 500:
            return  # said already
    for name, token in remaining.stored(store, "-vault-token"):
        yield _token(settings, token, name, f"gitops-agent sync: makes what {settings.folder}/tokens.yaml declares anew")


def _api(settings: VaultSettings, token: str = "") -> Api:
    headers = {"X-Vault-Token": token} if token else {}
    return Api("vault", settings.address, headers=headers, timeout=5, ca_file=settings.ca_file)


def _token(settings: VaultSettings, token: str, what: str, anew: str) -> Finding:
    with closing(_api(settings, token)) as api:
        answer = api.call("GET", "/v1/auth/token/lookup-self", accept=(403,))
    if answer.status == 403:
        return Finding(settings.name, what, False, "Vault does not know it: it has expired or was revoked", anew)
    data = answer.data["data"]
    left = float(data["ttl"]) if data.get("expire_time") else None
    finding = remaining.token(settings.name, what, left, anew)
    if finding.ok or not data.get("renewable"):
        return finding

    def renew() -> None:
        with closing(_api(settings, token)) as api:
            api.call("POST", "/v1/auth/token/renew-self", json={"increment": f"{data['creation_ttl']}s"})

    return Finding(
        settings.name, what, False, finding.said, "gitops-agent doctor --fix", Repair(f"renew {what} of {settings.name}", renew)
    )


def _as_the_agent(settings: VaultSettings, engines: Mapping[str, bool]) -> Findings:
    with closing(Client(Access.of(settings))) as client:
        try:
            mounts = client.read("sys/mounts").data
            if settings.role_id:
                yield _secret_id(settings, client)
            for kind, needed in engines.items():
                yield from _engine(settings.name, client, mounts, kind, needed=needed)
        except Unavailable as error:
            remedy = _BOOTSTRAP if settings.role_id else f"put a new token into {settings.token_file}"
            yield Finding(settings.name, "access", False, str(error), remedy)
            return
        finally:
            if settings.role_id:
                _forget(client)


def _secret_id(settings: VaultSettings, client: Client) -> Finding:
    """The agent logs in again and again with it: when it ends, the agent is shut out, however fresh its token is."""
    try:
        role = client.read("auth/token/lookup-self").data["meta"]["role_name"]
        secret_id = remaining.read(settings.secret_id_file)
        known = client.write(f"auth/{settings.auth_path}/role/{role}/secret-id/lookup", {"secret_id": secret_id}).data
    except (AgentError, KeyError):  # its policy need not let it ask
        return Finding(settings.name, "the agent's AppRole", True, "lets it in")
    left = remaining.until({"ExpirationTime": known["expiration_time"]}) if known.get("secret_id_ttl") else None
    return remaining.token(settings.name, "the agent's secret id", left, _BOOTSTRAP)


def _engine(system: str, client: Client, mounts: Mapping[str, Any], kind: str, *, needed: bool) -> Findings:
    """The token that Vault uses there is looked at with the rest of the agent's store: `vault-consul-token`, `vault-nomad-token`"""
    what = f"issues tokens of {kind}"
    path = next((path for path, mount in mounts.items() if isinstance(mount, Mapping) and mount.get("type") == kind), "")
    if not path:
        if needed:
            remedy = "gitops-agent sync makes what vault/secrets-engines.yaml declares"
            yield Finding(system, what, False, f"has no secrets engine {kind}", remedy)
        return
    access = client.read(f"{path}config/access")
    said = f"at {access.data.get('address')}, by {path}creds/…" if access.found else f"{path}config/access is not there"
    yield Finding(system, what, access.found, said, "" if access.found else "gitops-agent sync: vault/paths.yaml declares it")


def _forget(client: Client) -> None:
    """The token of this look; it would live for hours."""
    try:
        client.write("auth/token/revoke-self", {})
    except AgentError:
        return
