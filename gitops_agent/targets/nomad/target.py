"""The target: what one folder says of one Nomad; jobs and variables of one namespace of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action, Batch, Change, Files, Health, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.system_target import Types, label
from gitops_agent.target import Site, Target
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.job_type import JobType
from gitops_agent.targets.nomad.jobs import Jobs
from gitops_agent.targets.nomad.managed import demand_management
from gitops_agent.targets.nomad.memory import Memory
from gitops_agent.targets.nomad.namespaces import Namespaces
from gitops_agent.targets.nomad.policies import Policies
from gitops_agent.targets.nomad.record import Record
from gitops_agent.targets.nomad.resource_type import ResourceType
from gitops_agent.targets.nomad.roles import Roles, refuse_dead_links
from gitops_agent.targets.nomad.settings import NomadSettings
from gitops_agent.targets.nomad.variables import Variables

_WAIT = "4s"
"""Of one blocking query: how long a watch that is to end may take to notice."""
_PAUSE = 0.5
"""Seconds between two looks of a watch while others keep writing."""


class Nomad(Target):
    """Jobs, and whatever else the folder declares."""

    Settings = NomadSettings

    def __init__(self, settings: NomadSettings, site: Site) -> None:
        super().__init__(settings, site)
        self._client = Client(settings)
        self._record = Record(self._client, settings.namespace, site.environment, settings.name)
        self._memory = Memory(site.directory)
        known = (self._client, self._memory, site.key)
        self._policies = Policies(*known)
        self._jobs = JobType(*known, settings.namespace)
        variables = Variables(*known, settings.namespace)
        # In the order in which they need each other.
        types: tuple[ResourceType, ...] = (Namespaces(*known), self._policies, Roles(*known), variables, self._jobs)
        self._types = Types(settings.kind, types)
        self._wanted: frozenset[str] = frozenset()
        self._found: frozenset[str] = frozenset()

    def scope(self) -> frozenset[str]:
        where = f"{self.settings.address} {self.settings.namespace}"
        return frozenset(f"{where} {pattern.partition('*')[0]}" for pattern in self.settings.only)

    def parse(self, files: Files) -> State:
        state = self._types.parse(files)
        Record.check(state.resources.keys(), next(iter(files), ""))
        return state

    def observe(self, desired: State) -> State:
        self.settings.refuse_others(desired)
        owned = frozenset(filter(self.settings.allows, self._record.look() | self._memory.adopted))
        self._wanted = frozenset(desired.resources)
        # What a target never had to do with is not asked for, and needs no permission.
        concerned = {label(name) for name in owned | self._wanted} | {self._jobs.label}
        concerned |= {self._policies.label} if "role" in concerned else set()
        if any(kind.management for kind in self._types if kind.label in concerned):
            demand_management(self._client)
        found: list[Resource] = []
        for kind in self._types:
            if kind.label in concerned:
                wanted = [resource for resource in desired if label(resource.name) == kind.label]
                found += kind.observe(wanted, {name for name in owned if label(name) == kind.label})
            if isinstance(kind, Namespaces):
                home = f"{kind.label}:{self.settings.namespace}"
                self._jobs.namespace_comes(first=home in self._wanted and home not in kind.names)
        refuse_dead_links(desired, frozenset(self._policies.names) - owned)
        self._found = frozenset(resource.name for resource in found)
        self._memory.save(owned | self._wanted)
        return State.of(*found)

    def review(self, plan: Plan) -> Plan:
        for change in plan.only(Action.UPDATE, Action.DELETE):
            if change.name == self._jobs.own:
                raise UnsafePlan(f"{plan.target}: would {change.action} {change.name}, which the agent runs in; change it by hand")
        plan = plan.sparing(self._stays)
        return self._types.ordered(replace(plan, changes=tuple(self._jobs.explained(_with_losses(change)) for change in plan)))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        """Names are claimed before the first thing is written and dropped after the last is deleted. Should the agent die in
        between, a claimed name without a thing is simply written by the next run."""
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            self._memory.adopted |= {change.name for change in adopted}
            self._remember()
            yield adopted
        puts = plan.only(Action.CREATE, Action.UPDATE).changes
        if puts:
            self._record.write(self._record.names | {change.name for change in puts})
        try:
            for change in puts:
                self._types.of(change).put(change)
                self._memory.adopted.discard(change.name)
                yield (change,)
        finally:  # once: a file replaced for each of 200 jobs takes longer than the jobs
            self._remember()
        self._found |= {change.name for change in puts}
        deletions = plan.only(Action.DELETE).changes
        for change in deletions:
            self._types.of(change).delete(change)
            yield (change,)
        if deletions:
            self._drop({change.name for change in deletions})

    def health(self) -> Health:
        health = self._jobs.health()
        self._remember()
        return health

    def watch(self) -> Iterator[str]:
        """A blocking query on the list of jobs: unlike the event stream, whose buffer is finite, it has no gaps."""
        client = Client(self.settings)
        index = 0
        try:
            while True:
                rows, returned = Jobs(client, self.settings.namespace).rows_after(index, _WAIT)
                live = {name: int(row["JobModifyIndex"]) for name, row in rows.items() if not row["Stop"]}
                if returned < index:
                    yield "nomad's index went back: set up anew, or restored from a snapshot?"
                    index = 0
                elif returned == index:
                    yield ""
                else:
                    index = returned
                    yield self._jobs.seen.difference(live, index)
                    time.sleep(_PAUSE)
        finally:
            client.close()

    def close(self) -> None:
        self._client.close()

    def _drop(self, gone: set[str]) -> None:
        """With what others deleted: whoever makes a thing of that name again shall find it to be theirs."""
        self._found -= gone
        self._memory.adopted -= gone
        there = self._found | self._wanted
        self._record.write({name for name in self._record.names - gone if name in there or not self.settings.allows(name)})
        self._remember()

    def _stays(self, change: Change) -> bool:
        is_home = change.name == f"namespace:{self.settings.namespace}"
        return label(change.name) == "namespace" and (is_home or not self.settings.allow_destroy)

    def _remember(self) -> None:
        self._memory.save(self._record.names | self._wanted)


def _with_losses(change: Change) -> Change:
    lost = change.action is Action.DELETE and label(change.name) == "namespace"
    return replace(change, destructive=change.name) if lost else change
