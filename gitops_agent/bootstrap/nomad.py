"""Nomad's ACLs: begun once, and again where Nomad lost its data; with them the two tokens that only Nomad itself can make."""

from __future__ import annotations

import re

from gitops_agent.api import Api
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.errors import ApplyFailed, Unavailable

_OURS = "nomad-bootstrap-token"
_INDEX = re.compile(r"reset index: (\d+)")


class NomadAcl(Step):
    """Both are management tokens: who may make policies and tokens may do everything, and Nomad has no smaller right."""

    name = "nomad: ACLs"
    patience = 60

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._names = ["gitops-agent-nomad-token", *(["vault-nomad-token"] if ground.blueprint.has("vault") else [])]

    def missing(self) -> str:
        wanting = [name for name in self._names if not self._works(self._ground.secrets.read(name))]
        return f"no {' and no '.join(wanting)}" if wanting else ""

    def do(self) -> None:
        token = self._administrator()
        api = self._api(token)
        for name in self._names:
            if not self._works(self._ground.secrets.read(name)):
                body = {"Name": name.removesuffix("-nomad-token"), "Type": "management"}
                self._ground.secrets.write(name, str(api.call("POST", "/v1/acl/token", json=body).data["SecretID"]))

    def _administrator(self) -> str:
        named = self._ground.credentials.nomad_token
        _, token = self._ground.administrator(named, _OURS)
        if self._works(token):
            return token
        if named is not None:
            raise Unavailable(f"nomad does not know the token in {named}")
        api = self._api()
        # Chosen by us, so that nothing gets lost between the answer and the disk.
        wanted = {"BootstrapSecret": token}
        answer = api.call("POST", "/v1/acl/bootstrap", json=wanted, accept=(400,))
        if answer.status == 400:
            index = _INDEX.search(answer.text)
            if index is None:
                raise ApplyFailed(f"nomad does not let its ACLs begin: {answer.text.strip()}")
            self._ground.execute("nomad-server", ["sh", "-c", f"echo {index[1]} >/nomad/data/server/acl-bootstrap-reset"])
            answer = api.call("POST", "/v1/acl/bootstrap", json=wanted)
        self._ground.secrets.write(_OURS, str(answer.data["SecretID"]))
        return str(answer.data["SecretID"])

    def _works(self, token: str) -> bool:
        if not token:
            return False
        answer = self._api(token).call("GET", "/v1/acl/token/self", accept=(400, 403, 404))
        return answer.status == 200

    def _api(self, token: str = "") -> Api:
        return self._ground.api("nomad", {"X-Nomad-Token": token} if token else None)
