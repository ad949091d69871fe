"""The target: the pipelines that one folder declares in the teams of one Concourse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from gitops_agent.adopted import Adopted
from gitops_agent.concourse import Client, Session, User
from gitops_agent.errors import Conflict
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, HealthStatus, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import Site, Target, collect
from gitops_agent.targets.concourse.declared import declared
from gitops_agent.targets.concourse.mark import marked, unmarked
from gitops_agent.targets.concourse.memory import Memory
from gitops_agent.targets.concourse.pipelines import Pipelines, Row
from gitops_agent.targets.concourse.settings import ConcourseSettings
from gitops_agent.targets.concourse.written import written

_SWITCHES = {"paused": ("unpause", "pause"), "exposed": ("hide", "expose")}
"""The calls for false and for true."""


class ConcourseTarget(Target):
    """Pipelines, what of them is paused and exposed, and their order."""

    Settings = ConcourseSettings

    def __init__(self, settings: ConcourseSettings, site: Site, *, reads_only: bool = False) -> None:
        super().__init__(settings, site)
        secret_file = settings.password_file
        identity = Client(settings.client, secret_file) if settings.client else User(settings.username, secret_file)
        self._session = Session(settings.address, identity, ca_file=settings.ca_file, timeout=settings.timeout)
        self._pipelines = Pipelines(self._session, reads_only=reads_only)
        self._adopted = Adopted(site.directory)
        self._memory = Memory(site.directory, site.key)

    def scope(self) -> frozenset[str]:
        return frozenset(f"{self.settings.address} {pattern.partition('*')[0]}" for pattern in self.settings.only)

    def parse(self, files: Files) -> State:
        return collect(declared(files))

    def observe(self, desired: State) -> State:
        self.settings.refuse_others(desired)
        rows = self._pipelines.rows()
        ours = {name for name, row in rows.items() if row.owner == self.site.environment} | {*self._adopted.notes()}
        concerned = [name for name in rows if name in desired or (name in ours and self.settings.allows(name))]
        wanted = [resource for resource in desired if resource.name.startswith("pipeline:")]
        self._pipelines.require_role(dict.fromkeys(_team(resource.name) for resource in wanted))
        found = State.of(*filter(None, (self._found(rows[name], desired.get(name)) for name in concerned)))
        for resource in wanted:
            live = found.get(resource.name)
            if live is None or live.spec["config"] != resource.spec["config"]:
                self._pipelines.check(resource)
        orders = (_order(resource, rows) for resource in desired if resource.name.startswith("order:"))
        return State.of(*found, *filter(None, orders))

    def review(self, plan: Plan) -> Plan:
        if not self.settings.allow_destroy:
            return plan
        lost = [replace(change, destructive=f"all builds of {change.name}") for change in plan.only(Action.DELETE)]
        return replace(plan, changes=(*plan.without(Action.DELETE), *lost))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        """A pipeline is marked with the write that sets it: there is no moment in which it is ours and nobody knows."""
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            self._adopted.add({change.name: {} for change in adopted})
            yield adopted
        for change in plan.only(Action.CREATE, Action.UPDATE):
            if change.name.startswith("order:"):
                self._pipelines.order(_team(change.name), change.resource.spec["pipelines"])
            else:
                self._set(change)
            yield (change,)
        for change in plan.only(Action.DELETE):
            self._remove(change)
            yield (change,)

    def health(self) -> Health:
        """Without a worker pipelines are set, and nothing of them runs."""
        states = self._pipelines.workers()
        if "running" in states:
            return HEALTHY
        said = f"all are {', '.join(sorted(set(states)))}" if states else "there is none"
        return Health(HealthStatus.DEGRADED, f"no worker runs: {said}")

    def reader(self) -> Target | None:
        settings = self.settings
        file = settings.preview_password_file
        update = {"username": settings.preview_username, "client": settings.preview_client, "password_file": file}
        return None if file is None else ConcourseTarget(settings.model_copy(update=update), self.site, reads_only=True)

    def tells(self, resource: Resource) -> bool:
        """Every pipeline counts as sensitive, so that no live one is shown; in most nothing was concealed."""
        return resource.shown is None or resource.shown == resource.spec

    def close(self) -> None:
        self._session.close()

    def _found(self, row: Row, wanted: Resource | None) -> Resource | None:
        """An archived pipeline is as good as none: declared again, it is set again, with its old builds."""
        if row.archived or (live := self._pipelines.config(row.name)) is None:
            return None
        config, version = written(unmarked(live[0])), live[1]
        if wanted is not None and self._memory.knows(row.name, wanted.spec["config"], version):
            config = dict(wanted.spec["config"])
        spec = {"config": config, "paused": row.paused, "exposed": row.exposed}
        return Resource(row.name, spec, version=version, owned=row.owner == self.site.environment)

    def _set(self, change: Change) -> None:
        wanted, before = change.resource, change.before
        config = wanted.spec["config"]
        live: Mapping[str, Any] = {"paused": True, "exposed": False}
        if before is None or not before.owned or before.spec["config"] != config:
            version = str(before.version) if before else ""
            self._pipelines.save(wanted, marked(config, self.site.environment), version)
            self._remember(wanted)
            self._adopted.remove(change.name)
        if before is not None:
            live = before.spec
        else:  # one that was archived comes back as it was
            row = self._pipelines.rows().get(change.name)
            live = live if row is None else {"paused": row.paused, "exposed": row.exposed}
        for switch, actions in _SWITCHES.items():
            if live[switch] != wanted.spec[switch]:
                self._pipelines.act(change.name, actions[wanted.spec[switch]])

    def _remember(self, wanted: Resource) -> None:
        """Only what Concourse wrote in a way that is not foreseen."""
        config = wanted.spec["config"]
        live = self._pipelines.config(wanted.name)
        if live is not None and written(unmarked(live[0])) != config:
            self._memory.note(wanted.name, config, live[1])
        else:
            self._memory.forget(wanted.name)

    def _remove(self, change: Change) -> None:
        """Archives, which has no check of its own: the version is looked at just before."""
        live = self._pipelines.config(change.name)
        if live is not None:
            if change.before is not None and live[1] != change.before.version:
                raise Conflict(f"concourse: {change.name} was set by somebody else in the meantime")
            if self.settings.allow_destroy:
                self._pipelines.destroy(change.name)
            else:
                self._pipelines.act(change.name, "archive")
        self._adopted.remove(change.name)
        self._memory.forget(change.name)


def _team(name: str) -> str:
    return name.partition(":")[2].partition("/")[0]


def _order(wanted: Resource, rows: Mapping[str, Row]) -> Resource | None:
    """The declared ones of the team as they stand; nobody's, so never somebody else's. None while there is none."""
    team = _team(wanted.name)
    names = [row.name.partition("/")[2] for row in rows.values() if _team(row.name) == team and not row.archived]
    standing = [name for name in names if name in wanted.spec["pipelines"]]
    return Resource(wanted.name, {"pipelines": standing}, origin=wanted.origin) if standing else None
