"""What programs show to Vault: known beforehand, so that they could be started before Vault was. Vault is told what they are."""

from __future__ import annotations

from gitops_agent.bootstrap.blueprint import NOMAD_TOKEN
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.bootstrap.vault import root
from gitops_agent.errors import Refused

_PERIOD = 768 * 3600
"""Seconds that a token lives without being renewed; Vault grants no more."""
_ROLES = ("gitops-agent", "gitops-agent-reads")


class VaultAccess(Step):
    """The secret ids of the agent's AppRoles, and periodic tokens that are nobody's children for programs that know no AppRole."""

    name = "vault: who may come in"
    patience = 30

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._tokens = {"prometheus-vault-token": "prometheus"}
        if ground.blueprint.facts.nomad_token_in_vault:
            self._tokens[NOMAD_TOKEN] = "nomad-server"

    def missing(self) -> str:
        roles = [f"no login for {role}" for role in _ROLES if not self._logs_in(role)]
        return "; ".join([*roles, *(said for name in self._tokens if (said := self._token(name)))])

    def do(self) -> None:
        for name in self._tokens:
            if self._seconds(name):
                self._ground.api("vault", {"X-Vault-Token": self._ground.secrets.read(name)}).call(
                    "POST", "/v1/auth/token/renew-self", json={}
                )
        if not self.missing():
            return
        token = root(self._ground)
        if not token:
            raise Refused(
                "vault's root token is needed: name the file with it, --vault-keys FILE (`vault operator generate-root` makes one)"
            )
        api = self._ground.api("vault", {"X-Vault-Token": token})
        for role in _ROLES:
            if not self._logs_in(role):
                body = {"secret_id": self._secret_id(role), "ttl": 0, "num_uses": 0}
                api.call("POST", f"/v1/auth/approle/role/{role}/custom-secret-id", json=body)
        for name, policy in self._tokens.items():
            if not self._seconds(name):
                body = {"id": self._ground.secrets.read(name), "policies": [policy], "period": _PERIOD, "display_name": policy}
                api.call("POST", "/v1/auth/token/create-orphan", json=body)

    def _logs_in(self, role: str) -> bool:
        """Asked as root where that is possible: five logins that fail lock an AppRole for a quarter of an hour."""
        token = root(self._ground)
        if token:
            api = self._ground.api("vault", {"X-Vault-Token": token})
            body = {"secret_id": self._secret_id(role)}
            answer = api.call("POST", f"/v1/auth/approle/role/{role}/secret-id/lookup", json=body, accept=(400, 404))
            return answer.status == 200
        return self._logged_in(role)

    def _logged_in(self, role: str) -> bool:
        body = {"role_id": role, "secret_id": self._secret_id(role)}
        answer = self._ground.api("vault").call("POST", "/v1/auth/approle/login", json=body, accept=(400, 403, 404))
        if answer.status != 200:
            return False
        own = {"X-Vault-Token": str(answer.data["auth"]["client_token"])}
        self._ground.api("vault", own).call("POST", "/v1/auth/token/revoke-self", json={})
        return True

    def _secret_id(self, role: str) -> str:
        return self._ground.secrets.read(f"{role}-vault-secret-id")

    def _token(self, name: str) -> str:
        seconds = self._seconds(name)
        if not seconds:
            return f"vault does not know {name}"
        return f"{name} ends in {seconds // 86400} days" if seconds < _PERIOD // 2 else ""

    def _seconds(self, name: str) -> int:
        """That a token still has; 0 for one that Vault does not know."""
        api = self._ground.api("vault", {"X-Vault-Token": self._ground.secrets.read(name)})
        answer = api.call("GET", "/v1/auth/token/lookup-self", accept=(403,))
        return int(answer.data["data"]["ttl"]) if answer.status == 200 else 0
