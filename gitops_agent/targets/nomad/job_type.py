"""Jobs as a type of resource: known by one list call, planned by the server, registered with EnforceIndex, followed to health."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from gitops_agent.model import HEALTHY, Change, Files, Health, HealthStatus, Resource
from gitops_agent.secret import mask
from gitops_agent.seen import Seen
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.health import Rollouts
from gitops_agent.targets.nomad.job_files import ENDINGS, VARIABLES, jobs
from gitops_agent.targets.nomad.jobs import Jobs
from gitops_agent.targets.nomad.memory import Memory
from gitops_agent.targets.nomad.recognised import Look, Recognition
from gitops_agent.targets.nomad.resource_type import ResourceType
from gitops_agent.targets.nomad.words import Difference, unplaced

_NAMED = 3


class JobType(ResourceType):
    label: ClassVar = "job"
    files: ClassVar[re.Pattern[str]] = re.compile(rf"(.*/)?[^./][^/]*({'|'.join(map(re.escape, (*ENDINGS, VARIABLES)))})")
    example: ClassVar = "*.nomad.hcl, *.hcl, *.json, <name>.vars"

    def __init__(self, client: Client, memory: Memory, key: bytes, namespace: str) -> None:
        self._jobs = Jobs(client, namespace)
        self._memory = memory
        self._recognition = Recognition(self._jobs, memory, key)
        self._rollouts = Rollouts(client, self._jobs, namespace)
        self.seen = Seen()
        self._look = Look()
        self._wanted: dict[str, Resource] = {}
        self.live: frozenset[str] = frozenset()
        """Names of all that are not stopped, as last listed or registered."""
        # Where the agent is itself a job of this Nomad.
        self.own = f"job:{os.environ['NOMAD_JOB_ID']}" if "NOMAD_JOB_ID" in os.environ else ""

    def parse(self, files: Files) -> Iterator[Resource]:
        return jobs(files)

    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        rows = self._jobs.rows()
        self.live = frozenset(name for name, row in rows.items() if not row["Stop"])
        self._wanted = {resource.name: resource for resource in desired}
        self._look = Look()
        yield from self._recognition.observed(iter(desired), rows, frozenset(owned), self._look)
        for name in sorted(self.live.intersection(owned) - self._wanted.keys()):
            yield Resource(name, {"live": {}}, version=rows[name]["JobModifyIndex"])
        concerned = {*owned, *self._wanted}
        self.seen.look({name: int(rows[name]["JobModifyIndex"]) for name in self.live & concerned})

    def namespace_comes(self, *, first: bool) -> None:
        """Whether the plan brings the namespace before any of its jobs."""
        self._jobs.namespace_comes = first

    def put(self, change: Change) -> None:
        name = change.name
        with self.seen.writing() as indexes:
            done = self._jobs.register(change.resource, self._look.plans[name])
            indexes[name] = done.index
        self.live |= {name}
        self._memory.registered[name] = done.index
        self._memory.known.pop(name, None)
        if done.evaluation:
            self._rollouts.evaluations[name] = done.evaluation

    def delete(self, change: Change) -> None:
        with self.seen.writing() as indexes:
            self._jobs.deregister(change.name)
            indexes.pop(change.name, None)
        self.live -= {change.name}
        self._rollouts.evaluations.pop(change.name, None)

    def health(self) -> Health:
        names = [name for name in self._wanted if name in self.live]
        if not names:
            return HEALTHY
        health = self._rollouts.look(names, self._memory.registered)
        for name in [name for name in names if name in self._rollouts.reverted]:
            self._recognition.taken_back(self._wanted[name], self._rollouts.rows[name], self._rollouts.reverted.pop(name))
        taken_back = [known.reverted for name in names if (known := self._memory.known.get(name)) and known.reverted]
        return Health(HealthStatus.DEGRADED, "; ".join(taken_back[:_NAMED])) if taken_back else health

    def explained(self, change: Change) -> Change:
        """Reason and diff in the words of Nomad's own plan."""
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
