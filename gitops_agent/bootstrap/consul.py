"""Consul's ACLs: begun once, and again where Consul lost its data or nobody knows the administrator's token any more."""

from __future__ import annotations

import re
from pathlib import Path

from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.target import TargetSettings

_OURS = "consul-bootstrap-token"
_INDEX = re.compile(r"reset index: (\d+)")


class ConsulAcl(Step):
    """Done when there is a token that may go on: the administrator's, or the agent's own."""

    name = "consul: ACLs"
    patience = 60

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def missing(self) -> str:
        if _works(self._ground, self._token()[1]) or _works(self._ground, self._ground.secrets.read("gitops-agent-consul-token")):
            return ""
        if self._ground.credentials.consul_token is not None:
            raise Unavailable(f"consul does not know the token in {self._ground.credentials.consul_token}")
        return "not begun, or begun with a token that nobody has any more"

    def do(self) -> None:
        api = self._ground.api("consul")
        # Chosen by us, so that nothing gets lost between the answer and the disk. Consul before 1.11 chooses itself.
        wanted = {"BootstrapSecret": self._token()[1]}
        answer = api.call("PUT", "/v1/acl/bootstrap", json=wanted, accept=(403,))
        if answer.status == 403:
            index = _INDEX.search(answer.text)
            if index is None:
                raise ApplyFailed(f"consul does not let its ACLs begin: {answer.text.strip()}")
            self._ground.execute("consul", ["sh", "-c", f"echo {index[1]} >/consul/data/acl-bootstrap-reset"])
            answer = api.call("PUT", "/v1/acl/bootstrap", json=wanted)
        self._ground.secrets.write(_OURS, str(answer.data["SecretID"]))

    def _token(self) -> tuple[Path, str]:
        return self._ground.administrator(self._ground.credentials.consul_token, _OURS)


def as_administrator(ground: Ground, settings: TargetSettings) -> TargetSettings:
    """The target with the administrator's token, where it is known; the agent's own cannot make itself."""
    path, token = ground.administrator(ground.credentials.consul_token, _OURS)
    update: dict[str, object] = {"address": ground.reach(ground.blueprint.facts.addresses["consul"])}
    if _works(ground, token):
        update["token_file"] = path
    return settings.model_copy(update=update)


def _works(ground: Ground, token: str) -> bool:
    if not token:
        return False
    api = ground.api("consul", {"X-Consul-Token": token})
    try:
        return api.call("GET", "/v1/acl/token/self", accept=(403, 404)).status == 200
    finally:
        api.close()
