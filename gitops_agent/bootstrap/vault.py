"""Vault, opened: initialised once, unsealed as often as it was started. Its keys go where the user says, and nowhere else."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from gitops_agent import process
from gitops_agent.api import Api
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step, wait_until
from gitops_agent.errors import Refused, Unavailable
from gitops_agent.secret.files import read_secret, write_secret
from gitops_agent.target import TargetSettings
from gitops_agent.targets.vault.keys import Keys

_ACTIVE = 60.0
_BEGUN = "vault is being initialised"
"""In the file for the keys, until there are any."""
_ROOT = ".vault-root-token"
"""In the state directory, while targets need a file with it."""


class VaultOpen(Step):
    name = "vault: initialised and unsealed"
    patience = 60

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._path = ground.credentials.vault_keys

    def missing(self) -> str:
        status = self._status()
        if not status["initialized"]:
            return "it is not initialised"
        return "it is sealed" if status["sealed"] else ""

    def do(self) -> None:
        api = self._ground.api("vault")
        if self._status()["initialized"] and self._half_made():
            self._set_aside()
        if not self._status()["initialized"]:
            self._initialise(api)
        if self._status()["sealed"]:
            keys = Keys.read(self._named("with the keys to unseal it"))
            if not keys.open(lambda key: api.call("PUT", "/v1/sys/unseal", json={"key": key}, accept=(400,)).data):
                raise Refused(f"the keys in {self._path} do not unseal vault: name another file with --vault-keys")
        wait_until(lambda: api.call("GET", "/v1/sys/health").status == 200, _ACTIVE, "vault did not become active")

    def _initialise(self, api: Api) -> None:
        path = self._named("to write its keys to, 0600; afterwards take them off this host")
        if path.exists():  # of a Vault whose data is gone
            path.rename(path.with_name(f"{path.name}.before-{time.strftime('%Y%m%d-%H%M%S')}"))
        write_secret(path, _BEGUN)  # a place that cannot be written is known before
        made = api.call("PUT", "/v1/sys/init", json={"secret_shares": 1, "secret_threshold": 1}).data
        write_secret(path, json.dumps({"unseal_keys_b64": made["keys_base64"], "root_token": made["root_token"]}, indent=2))

    def _half_made(self) -> bool:
        """Killed while Vault made its keys, which takes seconds: nobody was told them, and nobody ever will be."""
        return self._path is not None and self._path.exists() and read_secret(self._path) == _BEGUN

    def _set_aside(self) -> None:
        """What nobody can open makes room for another beginning; it stays on the volume, in a directory of its own."""
        place = f"lost-{time.strftime('%Y%m%d-%H%M%S')}"
        move = f"cd /vault/file 2>/dev/null || cd /openbao/file; mkdir {place} && mv raft vault.db {place}/"
        self._ground.execute("vault", ["sh", "-c", move])
        process.run(["docker", "restart", self._ground.container("vault").name], timeout=_ACTIVE)
        wait_until(lambda: not self._status()["initialized"], _ACTIVE, "vault did not begin anew")

    def _named(self, what: str) -> Path:
        if self._path is None:
            raise Refused(f"vault needs a file {what}: --vault-keys FILE")
        return self._path

    def _status(self) -> dict[str, Any]:
        status = self._ground.api("vault").call("GET", "/v1/sys/seal-status").data
        if not isinstance(status, dict) or "sealed" not in status:
            raise Unavailable("what answers instead of vault speaks nonsense")
        return status


class VaultUnsealed(VaultOpen):
    """After a restart of the host. Nothing is initialised, and the agent may go on meanwhile."""

    name = "vault: unsealed"

    def missing(self) -> str:
        if not self._status()["initialized"]:
            raise Refused("vault holds nothing that could be unsealed: run bootstrap without --unseal")
        return super().missing()


def root(ground: Ground) -> str:
    """The root token, where the file with the keys is here and Vault knows it; empty otherwise."""
    path = ground.credentials.vault_keys
    if path is None or not path.exists():
        return ""
    token = Keys.read(path).root
    if (
        token
        and ground.api("vault", {"X-Vault-Token": token}).call("GET", "/v1/auth/token/lookup-self", accept=(403,)).status == 200
    ):
        return token
    return ""


def as_administrator(ground: Ground, settings: TargetSettings) -> TargetSettings:
    """The target with the root token where it is known; the agent's own AppRole cannot make itself."""
    update: dict[str, object] = {"address": ground.reach(ground.blueprint.facts.addresses["vault"])}
    if token := root(ground):
        write_secret(ground.state / _ROOT, token)
        update |= {"token_file": ground.state / _ROOT, "role_id": "", "secret_id_file": None}
    return settings.model_copy(update=update)


def forget_root(ground: Ground) -> None:
    (ground.state / _ROOT).unlink(missing_ok=True)
