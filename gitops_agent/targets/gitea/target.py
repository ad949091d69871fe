"""The target: what one folder says of one Gitea."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gitops_agent.adopted import Adopted
from gitops_agent.errors import InvalidRevision
from gitops_agent.gitea import Session
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.system_target import Noted, Types, label
from gitops_agent.target import Site, Target
from gitops_agent.targets.gitea.deploy_keys import DeployKeys
from gitops_agent.targets.gitea.organisations import Organisations
from gitops_agent.targets.gitea.own_access import OwnAccess
from gitops_agent.targets.gitea.protections import Protections
from gitops_agent.targets.gitea.record import Record
from gitops_agent.targets.gitea.repositories import Repositories
from gitops_agent.targets.gitea.resource_type import ResourceType
from gitops_agent.targets.gitea.settings import GiteaSettings
from gitops_agent.targets.gitea.teams import Teams, is_owners
from gitops_agent.targets.gitea.webhooks import Webhooks

_HOLDING = {"organisation": "{} with its teams", "repository": "all commits, issues and releases in {}"}
"""What is lost with resources of a type."""


class GiteaTarget(Target):
    """Organisations, repositories, teams, deploy keys, webhooks and branch protections."""

    Settings = GiteaSettings

    def __init__(self, settings: GiteaSettings, site: Site) -> None:
        super().__init__(settings, site)
        self._session = Session(settings.address, settings.token_file, settings.ca_file, settings.timeout)
        self._record = Record(self._session, settings.record, f"{site.environment}/{settings.name}.json")
        self._adopted = Adopted(site.directory)
        self._repositories = Repositories(self._session)
        self._teams = Teams(self._session)
        # In the order in which they need each other.
        types: tuple[ResourceType, ...] = (
            Organisations(self._session),
            self._repositories,
            self._teams,
            DeployKeys(self._session),
            Webhooks(self._session, site.key),
            Protections(self._session),
        )
        self._types = Types(settings.kind, types)
        self._noted = Noted(self._types, self._record, self._adopted, {}, settings.allows)
        self._login = ""

    def scope(self) -> frozenset[str]:
        return frozenset(f"{self.settings.address} {pattern.partition('*')[0]}" for pattern in self.settings.only)

    def parse(self, files: Files) -> State:
        state = self._types.parse(files)
        _refuse_the_same_in_another_case(state)
        return state

    def observe(self, desired: State) -> State:
        self.settings.refuse_others(desired)
        self._login = self._repositories.login = str(self._session.call("GET", "/user", "its own user").data["login"])
        known = {**self._adopted.notes(), **self._record.look(self._login)}
        owned = {name: note for name, note in known.items() if self.settings.allows(name)}
        self._teams.ours = frozenset(name.partition(":")[2] for name in owned if label(name) == "organisation")
        found: list[Resource] = []
        for kind in self._types:
            wanted = {resource.name: resource for resource in desired if label(resource.name) == kind.label}
            found += kind.observe(wanted, {name: note for name, note in owned.items() if label(name) == kind.label})
        self._noted.found = {resource.name for resource in found}
        return State.of(*found)

    def review(self, plan: Plan) -> Plan:
        plan = plan.sparing(self._stays)
        context = f"gitops/{self.site.environment}"
        OwnAccess(self._login, self.settings.source, self._record.repository, context).refuse_loss(plan)
        return self._types.ordered(replace(plan, changes=tuple(map(_with_losses, plan))))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        return self._noted.apply(plan)

    def health(self) -> Health:
        """Raises Unavailable while Gitea does not answer."""
        self._session.call("GET", "/version", "its version")
        return HEALTHY

    def reader(self) -> Target | None:
        file = self.settings.preview_token_file
        update = {"token_file": file, "preview_token_file": None}
        return None if file is None else GiteaTarget(self.settings.model_copy(update=update), self.site)

    def close(self) -> None:
        self._session.close()

    def _stays(self, change: Change) -> bool:
        return is_owners(change.name) if label(change.name) == "team" else _holds_data(change) and not self.settings.allow_destroy


def _holds_data(change: Change) -> bool:
    return change.action is Action.DELETE and label(change.name) in _HOLDING


def _with_losses(change: Change) -> Change:
    return replace(change, destructive=_HOLDING[label(change.name)].format(change.name)) if _holds_data(change) else change


def _refuse_the_same_in_another_case(state: State) -> None:
    """Gitea does not tell `Shop` from `shop`, but for the titles of keys and the globs of protections."""
    seen: dict[str, Resource] = {}
    for resource in state:
        other = seen.setdefault(resource.name.lower(), resource)
        if other is not resource:
            raise InvalidRevision.at(f"{resource.name} and {other.name} are one to Gitea", resource.origin)
