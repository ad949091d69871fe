"""The team of Concourse in which proposals are validated. No target declares teams: who is in one is its Concourse's affair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.concourse import Session, User

_NEEDS = "role owner in team main"
_PASSWORD = "concourse-admin"  # noqa: S105 -- a name


class ProposalsTeam(Step):
    """Holds nothing: a `((var))` in a task file is looked up in the team of its build."""

    name = "concourse: team of proposals"
    patience = 60

    def __init__(self, ground: Ground, team: str) -> None:
        self._ground = ground
        self._team = team
        self._user = User(ground.blueprint.facts.owner.name, ground.secrets.path(_PASSWORD))

    def missing(self) -> str:
        with self._session() as session:
            found = session.call("GET", f"/teams/{self._team}", needs=_NEEDS, accept=(404,)).status != 404
        return "" if found else f"there is no team {self._team}"

    def do(self) -> None:
        owner = {"users": [f"local:{self._user.name}"], "groups": []}
        with self._session() as session:
            session.call("PUT", f"/teams/{self._team}", json={"auth": {"owner": owner}}, needs=_NEEDS)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        address = self._ground.reach(self._ground.blueprint.facts.addresses["concourse"])
        with closing(Session(address, self._user)) as session:
            yield session
