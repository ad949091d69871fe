"""Gitea's people and tokens. What can be said by its API is the target's; this is what has to be there before somebody may use it.

An administrator's right comes from Gitea's own command in its container: whoever may run commands there is one.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from gitops_agent.api import Api
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.made_secrets import password
from gitops_agent.bootstrap.step import Step
from gitops_agent.errors import ApplyFailed
from gitops_agent.secret import remember

AGENT = "gitops-agent"
_PASSWORD = "gitea-admin"  # noqa: S105 -- a name
_TOKEN = re.compile(r"^[0-9a-f]{40}$", re.MULTILINE)
_TOKENS = {
    "gitops-agent-gitea-token": "write:organization,write:package,write:repository,write:user",
    "concourse-gitea-token": "read:package,read:repository,read:user",
}
_ADMINISTRATOR = "write:admin,write:organization,write:repository,write:user"
_NAMED = "gitops-agent-bootstrap"


class GiteaPeople(Step):
    """The owner, who is an administrator; the agent's user, who is none, owns the organisation and has a token for itself and one
    that may only read."""

    name = "gitea: people and tokens"
    patience = 120

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._owner = ground.blueprint.facts.owner
        self._organisation = ground.blueprint.facts.repository.partition("/")[0]

    def missing(self) -> str:
        people = self._people()
        wanting = [f"no user {name}" for name in (self._owner.name, AGENT) if name.lower() not in people]
        if not self._ground.secrets.has(_PASSWORD):
            wanting.append(f"no password for {self._owner.name}")
        wanting += [f"no {name}" for name in _TOKENS if not self._works(name)]
        if not wanting and not self._owns():
            wanting.append(f"no organisation {self._organisation} of {AGENT}'s")
        return "; ".join(wanting)

    def do(self) -> None:
        people = self._people()
        if self._owner.name.lower() not in people:
            command = ["create", "--username", self._owner.name, "--email", self._owner.email, "--admin"]
            self._admin("user", *command, "--random-password", "--must-change-password=false")
        with administrator(self._ground) as api:
            if not self._ground.secrets.has(_PASSWORD):
                self._give_password(api)
            if AGENT not in people:
                email = f"{AGENT}@{self._owner.email.partition('@')[2]}"
                body = {"username": AGENT, "email": email, "password": password(), "must_change_password": False}
                api.call("POST", "/api/v1/admin/users", json={**body, "visibility": "private"})
            for name, scopes in _TOKENS.items():
                if not self._works(name):
                    self._ground.secrets.write(name, issue(self._ground, AGENT, name.removesuffix("-gitea-token"), scopes))
            self._organise(api)

    def _give_password(self, api: Api) -> None:
        """The file comes last: while it is not there nobody knows the password, and it may be set."""
        made = password()
        remember(made)
        body = {"source_id": 0, "login_name": self._owner.name, "password": made, "must_change_password": False}
        api.call("PATCH", f"/api/v1/admin/users/{self._owner.name}", json=body)
        self._ground.secrets.write(_PASSWORD, made)

    def _organise(self, api: Api) -> None:
        body = {"username": self._organisation, "visibility": "private"}
        if api.call("GET", f"/api/v1/orgs/{self._organisation}", accept=(404,)).status == 404:
            api.call("POST", f"/api/v1/admin/users/{AGENT}/orgs", json=body)
        teams = api.call("GET", f"/api/v1/orgs/{self._organisation}/teams").data
        owners = next(team["id"] for team in teams if team["name"] == "Owners")
        for name in (AGENT, self._owner.name):
            api.call("PUT", f"/api/v1/teams/{owners}/members/{name}")

    def _people(self) -> set[str]:
        """Names in lower case, as the table that Gitea prints has them in its second column."""
        rows = [line.split() for line in self._admin("user", "list").splitlines()]
        return {row[1].lower() for row in rows if len(row) > 4 and row[0].isdigit()}

    def _owns(self) -> bool:
        answer = self._as_agent().call("GET", "/api/v1/user/orgs", accept=(403,))
        return answer.status == 200 and any(each["username"].lower() == self._organisation.lower() for each in answer.data)

    def _works(self, name: str) -> bool:
        token = self._ground.secrets.read(name)
        if not token:
            return False
        api = self._ground.api("gitea", {"Authorization": f"token {token}"})
        return api.call("GET", "/api/v1/user", accept=(401, 403)).status == 200

    def _as_agent(self) -> Api:
        return self._ground.api("gitea", {"Authorization": f"token {self._ground.secrets.read('gitops-agent-gitea-token')}"})

    def _admin(self, *arguments: str) -> str:
        return self._ground.execute("gitea", ["gitea", "admin", *arguments], user="git")


def issue(ground: Ground, user: str, name: str, scopes: str) -> str:
    """A new token; the name gets an end of its own, because Gitea refuses one that it has had."""
    command = ["gitea", "admin", "user", "generate-access-token", "--username", user, "--raw", "--scopes", scopes]
    said = ground.execute("gitea", [*command, "--token-name", f"{name}-{secrets.token_hex(4)}"], user="git")
    found = _TOKEN.search(said)
    if found is None:
        raise ApplyFailed("gitea made no token")
    remember(found[0])
    return found[0]


@contextmanager
def administrator(ground: Ground) -> Iterator[Api]:
    """Gitea's API with the rights of the owner, whose token for it is taken away afterwards."""
    owner = ground.blueprint.facts.owner.name
    api = ground.api("gitea", {"Authorization": f"token {issue(ground, owner, _NAMED, _ADMINISTRATOR)}"})
    try:
        yield api
    finally:
        _forget_tokens(ground, owner)


def _forget_tokens(ground: Ground, owner: str) -> None:
    """Also those of earlier bootstraps that were killed. Gitea wants the password for that; with another one they stay."""
    login = base64.b64encode(f"{owner}:{ground.secrets.read(_PASSWORD)}".encode()).decode()
    remember(login)
    api = ground.api("gitea", {"Authorization": f"Basic {login}"})
    listed = api.call("GET", f"/api/v1/users/{owner}/tokens", params={"limit": 50}, accept=(401, 403))
    for token in listed.data if listed.status == 200 else ():
        if token["name"].startswith(_NAMED):
            api.call("DELETE", f"/api/v1/users/{owner}/tokens/{token['id']}", accept=(404,))
