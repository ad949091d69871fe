"""The target: what one folder says of one Gitea."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from gitops_agent.adopted import Adopted
from gitops_agent.errors import AgentError, InvalidRevision
from gitops_agent.gitea import Session
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import Site, Target, collect
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

_IGNORED = re.compile(r"\.[^/]*|[^/]*\.md")
"""`.gitkeep`, `README.md`: for people."""
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
        self._types: tuple[ResourceType, ...] = (
            Organisations(self._session),
            self._repositories,
            self._teams,
            DeployKeys(self._session),
            Webhooks(self._session, site.key),
            Protections(self._session),
        )
        self._found: set[str] = set()
        self._login = ""

    def scope(self) -> frozenset[str]:
        return frozenset(f"{self.settings.address} {pattern.partition('*')[0]}" for pattern in self.settings.only)

    def parse(self, files: Files) -> State:
        taken: dict[str, dict[str, bytes]] = {kind.label: {} for kind in self._types}
        for path, content in files.items():
            kind = next((kind for kind in self._types if kind.files.fullmatch(path)), None)
            if kind is not None:
                taken[kind.label][path] = content
            elif not _IGNORED.fullmatch(path):
                known = ", ".join(f"{kind.file}.yaml" for kind in self._types)
                raise InvalidRevision(f"is nothing that a gitea folder holds: {known}", file=path)
        state = collect(resource for kind in self._types for resource in kind.parse(taken[kind.label]))
        _refuse_the_same_in_another_case(state)
        return state

    def observe(self, desired: State) -> State:
        self.settings.refuse_others(desired)
        self._login = self._repositories.login = str(self._session.call("GET", "/user", "its own user").data["login"])
        known = {**self._adopted.notes(), **self._record.look(self._login)}
        owned = {name: note for name, note in known.items() if self.settings.allows(name)}
        self._teams.ours = frozenset(name.partition(":")[2] for name in owned if _label(name) == "organisation")
        found: list[Resource] = []
        for kind in self._types:
            wanted = {resource.name: resource for resource in desired if _label(resource.name) == kind.label}
            found += kind.observe(wanted, {name: note for name, note in owned.items() if _label(name) == kind.label})
        self._found = {resource.name for resource in found}
        return State.of(*found)

    def review(self, plan: Plan) -> Plan:
        kept = [change for change in plan if not self._stays(change)]
        context = f"gitops/{self.site.environment}"
        OwnAccess(self._login, self.settings.source, self._record.repository, context).refuse_loss(plan.target, kept)
        left = len(plan.changes) - len(kept)  # those are out of a prune's reach, so they do not count when its size is judged
        return replace(plan, changes=tuple(sorted(map(_with_losses, kept), key=self._position)), owned=plan.owned - left)

    def apply(self, plan: Plan) -> Iterator[Batch]:
        """Names are claimed before the first creation and dropped after the last deletion. Should the agent die in between, a
        claimed name without an object is simply created by the next run, and what it did not note is written once more."""
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            self._adopted.add({change.name: self._type(change).adopt(change) for change in adopted})
            yield adopted
        yield from self._put(plan.only(Action.CREATE, Action.UPDATE).changes)
        yield from self._delete(plan.only(Action.DELETE).changes)

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

    def _put(self, changes: Sequence[Change]) -> Iterator[Batch]:
        if not changes:
            return
        notes = self._record.notes
        for change in changes:
            notes.setdefault(change.name, {})
        self._record.save(self._login)
        try:
            for change in changes:
                notes[change.name] = self._type(change).put(change)
                self._adopted.remove(change.name)
                self._found.add(change.name)
                yield (change,)
        except BaseException:
            with suppress(AgentError):  # what went wrong first is what people should hear of
                self._record.save(self._login)
            raise
        self._record.save(self._login)

    def _delete(self, changes: Sequence[Change]) -> Iterator[Batch]:
        for change in changes:
            self._type(change).delete(change)
            self._adopted.remove(change.name)
            self._found.discard(change.name)
            yield (change,)
        if changes:
            # What others deleted is dropped as well: whoever creates a thing of that name again shall find it to be theirs.
            for name in [*self._record.notes]:
                if self.settings.allows(name) and name not in self._found:
                    del self._record.notes[name]
            self._record.save(self._login)

    def _stays(self, change: Change) -> bool:
        if change.action is not Action.DELETE:
            return False
        return is_owners(change.name) if _label(change.name) == "team" else _holds_data(change) and not self.settings.allow_destroy

    def _type(self, change: Change) -> ResourceType:
        return next(kind for kind in self._types if kind.label == _label(change.name))

    def _position(self, change: Change) -> tuple[int, int]:
        """Where a change stands in a plan: what others need comes first and goes last."""
        place = [kind.label for kind in self._types].index(_label(change.name))
        return (1, -place) if change.action is Action.DELETE else (0, place)


def _label(name: str) -> str:
    return name.partition(":")[0]


def _holds_data(change: Change) -> bool:
    return change.action is Action.DELETE and _label(change.name) in _HOLDING


def _with_losses(change: Change) -> Change:
    return replace(change, destructive=_HOLDING[_label(change.name)].format(change.name)) if _holds_data(change) else change


def _refuse_the_same_in_another_case(state: State) -> None:
    """Gitea does not tell `Shop` from `shop`, but for the titles of keys and the globs of protections."""
    seen: dict[str, Resource] = {}
    for resource in state:
        other = seen.setdefault(resource.name.lower(), resource)
        if other is not resource:
            raise InvalidRevision.at(f"{resource.name} and {other.name} are one to Gitea", resource.origin)
