"""Gitea's people and tokens: what has to be there before somebody may use its API. What can be said by that is the target's."""

from __future__ import annotations

from gitops_agent.api import Api
from gitops_agent.bootstrap.gitea_administration import PASSWORD, Administration, administration
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.made_secrets import password
from gitops_agent.bootstrap.step import Step
from gitops_agent.secret import remember

AGENT = "gitops-agent"
TOKEN = "gitops-agent-gitea-token"  # noqa: S105 -- a name
_TOKENS = {
    TOKEN: "write:issue,write:organization,write:package,write:repository,write:user",
    "gitops-agent-preview-gitea-token": "read:organization,read:repository,read:user",
    "concourse-gitea-token": "read:package,read:repository,read:user",
}


class GiteaPeople(Step):
    """The owner, who is an administrator; the agent's user, who is none, owns the organisation and has a token for itself, one for
    previews and one for Concourse, which may only read."""

    name = "gitea: people and tokens"
    patience = 120

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._owner = ground.blueprint.facts.owner
        self._organisation = ground.blueprint.facts.repository.partition("/")[0]

    def missing(self) -> str:
        people = administration(self._ground).people()
        wanting = [f"no user {name}" for name in (self._owner.name, AGENT) if name.lower() not in people]
        if not self._knows_password():
            wanting.append(f"no password for {self._owner.name}")
        wanting += [f"no {name}" for name in _TOKENS if not self._works(name)]
        if not wanting and not self._owns():
            wanting.append(f"no organisation {self._organisation} of {AGENT}'s")
        return "; ".join(wanting)

    def do(self) -> None:
        administrator = administration(self._ground)
        people = administrator.people()
        created = self._owner.name.lower() not in people
        if created:
            self._ground.secrets.remove(PASSWORD)  # of a Gitea whose data is gone
            administrator.create(self._owner)
        with administrator.api() as api:
            if created or not self._knows_password():
                self._give_password(api)
            if AGENT not in people:
                email = f"{AGENT}@{self._owner.email.partition('@')[2]}"
                body = {"username": AGENT, "email": email, "password": password(), "must_change_password": False}
                api.call("POST", "/api/v1/admin/users", json={**body, "visibility": "private"})
            self._issue(administrator)
            self._organise(api)

    def _issue(self, administrator: Administration) -> None:
        for name, scopes in _TOKENS.items():
            if not self._works(name):
                self._ground.secrets.write(name, administrator.issue(AGENT, name.removesuffix("-gitea-token"), scopes))

    def _knows_password(self) -> bool:
        """A Gitea with an administrator of somebody else's has people already, whose passwords are their own."""
        return self._ground.credentials.gitea_admin is not None or self._ground.secrets.has(PASSWORD)

    def _give_password(self, api: Api) -> None:
        """The file comes last: while it is not there nobody knows the password, and it may be set."""
        made = password()
        remember(made)
        body = {"source_id": 0, "login_name": self._owner.name, "password": made, "must_change_password": False}
        api.call("PATCH", f"/api/v1/admin/users/{self._owner.name}", json=body)
        self._ground.secrets.write(PASSWORD, made)

    def _organise(self, api: Api) -> None:
        body = {"username": self._organisation, "visibility": "private"}
        if api.call("GET", f"/api/v1/orgs/{self._organisation}", accept=(404,)).status == 404:
            api.call("POST", f"/api/v1/admin/users/{AGENT}/orgs", json=body)
        teams = api.call("GET", f"/api/v1/orgs/{self._organisation}/teams").data
        owners = next(team["id"] for team in teams if team["name"] == "Owners")
        for name in (AGENT, self._owner.name):
            api.call("PUT", f"/api/v1/teams/{owners}/members/{name}")

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
        return self._ground.api("gitea", {"Authorization": f"token {self._ground.secrets.read(TOKEN)}"})
