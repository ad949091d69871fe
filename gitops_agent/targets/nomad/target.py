"""The target: the jobs that one folder declares in one namespace of one Nomad."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace

from gitops_agent.errors import InvalidRevision, UnsafePlan
from gitops_agent.model import Action, Batch, Change, Files, Health, HealthStatus, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.secret import mask
from gitops_agent.seen import Seen
from gitops_agent.target import Site, Target, collect
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.declared import declared
from gitops_agent.targets.nomad.health import Rollouts
from gitops_agent.targets.nomad.jobs import Jobs
from gitops_agent.targets.nomad.memory import Memory
from gitops_agent.targets.nomad.recognised import Look, Recognition
from gitops_agent.targets.nomad.record import Record
from gitops_agent.targets.nomad.settings import NomadSettings
from gitops_agent.targets.nomad.words import Difference, unplaced

_NAMED = 3
_WAIT = "4s"
"""Of one blocking query: how long a watch that is to end may take to notice."""
_PAUSE = 0.5
"""Seconds between two looks of a watch while others keep writing."""


class Nomad(Target):
    """Jobs in HCL2 and JSON."""

    Settings = NomadSettings

    def __init__(self, settings: NomadSettings, site: Site) -> None:
        super().__init__(settings, site)
        self._client = Client(settings)
        self._jobs = Jobs(self._client, settings.namespace)
        self._record = Record(self._client, settings.namespace, site.environment, settings.name)
        self._memory = Memory(site.directory)
        self._recognition = Recognition(self._jobs, self._memory, site.key)
        self._rollouts = Rollouts(self._client, settings.namespace)
        self._seen = Seen()
        self._look = Look()
        self._wanted: dict[str, Resource] = {}
        self._live: frozenset[str] = frozenset()
        # Where the agent is itself a job of this Nomad.
        self._own = f"job:{os.environ['NOMAD_JOB_ID']}" if "NOMAD_JOB_ID" in os.environ else ""

    def scope(self) -> frozenset[str]:
        where = f"{self.settings.address} {self.settings.namespace}"
        return frozenset(f"{where} {pattern.partition('*')[0]}" for pattern in self.settings.only)

    def parse(self, files: Files) -> State:
        state = collect(declared(files))
        Record.check(state.resources.keys(), next(iter(files), ""))
        return state

    def observe(self, desired: State) -> State:
        for resource in desired:
            if not self.settings.allows(resource.name):
                raise _not_allowed(resource)
        owned = frozenset(filter(self.settings.allows, self._record.look() | self._memory.adopted))
        rows = self._jobs.rows()
        self._live = frozenset(name for name, row in rows.items() if not row["Stop"])
        self._wanted = dict(desired.resources)
        self._look = Look()
        found = [*self._recognition.observed(iter(desired), rows, owned, self._look)]
        unwanted = sorted(owned & self._live - self._wanted.keys())
        found += [Resource(name, {"live": {}}, version=rows[name]["JobModifyIndex"]) for name in unwanted]
        concerned = owned | self._wanted.keys()
        self._seen.look({name: int(rows[name]["JobModifyIndex"]) for name in self._live & concerned})
        self._memory.save(concerned)
        return State.of(*found)

    def review(self, plan: Plan) -> Plan:
        """Reasons and diffs in the words of Nomad's own plans."""
        for change in plan.only(Action.UPDATE, Action.DELETE):
            if change.name == self._own:
                raise UnsafePlan(f"{plan.target}: would {change.action} {change.name}, which the agent runs in; change it by hand")
        return replace(plan, changes=tuple(map(self._explained, plan)))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        """Names are claimed before the first job is registered and dropped after the last is deregistered. Should the agent die
        in between, a claimed name without a job is simply registered by the next run."""
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            self._memory.adopted |= {change.name for change in adopted}
            self._memory.save(self._record.names | self._wanted.keys())
            yield adopted
        puts = plan.only(Action.CREATE, Action.UPDATE).changes
        if puts:
            self._record.write(self._record.names | {change.name for change in puts})
        for change in puts:
            self._register(change)
            yield (change,)
        deletions = plan.only(Action.DELETE).changes
        for change in deletions:
            with self._seen.writing() as indexes:
                self._jobs.deregister(change.name)
                indexes.pop(change.name, None)
            self._rollouts.evaluations.pop(change.name, None)
            yield (change,)
        if deletions:
            self._drop({change.name for change in deletions})

    def health(self) -> Health:
        names = [name for name in self._wanted if name in self._live]
        if not names:
            return Health(HealthStatus.HEALTHY)
        rows = self._jobs.rows()
        health = self._rollouts.look(rows, names, self._memory.registered)
        for name in [name for name in names if name in self._rollouts.reverted]:
            self._recognition.taken_back(self._wanted[name], rows[name], self._rollouts.reverted.pop(name))
            self._memory.save(self._record.names | self._wanted.keys())
        taken_back = [known.reverted for name in names if (known := self._memory.known.get(name)) and known.reverted]
        return Health(HealthStatus.DEGRADED, "; ".join(taken_back[:_NAMED])) if taken_back else health

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
                    yield self._seen.difference(live, index)
                    time.sleep(_PAUSE)
        finally:
            client.close()

    def close(self) -> None:
        self._client.close()

    def _register(self, change: Change) -> None:
        name = change.name
        with self._seen.writing() as indexes:
            done = self._jobs.register(change.resource, self._look.plans[name])
            indexes[name] = done.index
        self._live |= {name}
        self._memory.registered[name] = done.index
        self._memory.adopted.discard(name)
        self._memory.known.pop(name, None)
        self._memory.save(self._record.names | self._wanted.keys())
        if done.evaluation:
            self._rollouts.evaluations[name] = done.evaluation

    def _drop(self, gone: set[str]) -> None:
        """With what others stopped: whoever registers a job of that name again shall find it to be theirs."""
        self._live -= gone
        self._memory.adopted -= gone
        kept = {name for name in self._record.names - gone if name in self._live | self._wanted.keys()}
        self._record.write(kept | {name for name in self._record.names if not self.settings.allows(name)})
        self._memory.save(self._record.names | self._wanted.keys())

    def _explained(self, change: Change) -> Change:
        planned = self._look.plans.get(change.name)
        if planned is None:
            return change
        differing = self._look.differences.get(change.name, [])
        reason = change.reason
        if differing:
            shown = change.before is not None and not change.before.sensitive
            reason = f"{reason.partition('differs in')[0]}differs in {_places(differing, shown=shown)}"
            if shown:
                change = replace(change, diff=_text(differing))
        trouble = unplaced(planned.failed)
        return replace(change, reason=f"{reason}; {trouble}" if trouble else reason)


def _places(differing: list[Difference], *, shown: bool) -> str:
    """Names that only the live job has are not told of a job whose history is not known."""
    paths = [path for path, _, new in differing if shown or new is not None] or ["what is not declared"]
    return ", ".join(paths[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


def _text(differing: list[Difference]) -> str:
    lines = (f"{path}: {_value(old)} → {_value(new)}" for path, old, new in differing)
    return "\n".join(lines)


def _value(text: str | None) -> str:
    return "absent" if text is None else mask(text).replace("\n", "\\n") or '""'


def _not_allowed(resource: Resource) -> InvalidRevision:
    origin = resource.origin
    message = f"{resource.name} is not among what agent.toml lets this target own"
    return InvalidRevision(message, file=origin.file if origin else "", line=origin.line if origin else 0)
