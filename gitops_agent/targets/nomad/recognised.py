"""Tells from one list call which jobs are as declared, and asks Nomad about the rest only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_agent.model import Resource
from gitops_agent.targets.nomad.jobs import Jobs, Planned
from gitops_agent.targets.nomad.memory import Known, Memory, digest
from gitops_agent.targets.nomad.words import Difference, Object, differences

_ENDS = ("batch", "sysbatch")


@dataclass(frozen=True)
class Look:
    """What one look found: plans by name for what is not as declared, with their differences."""

    plans: dict[str, Planned] = field(default_factory=dict)
    differences: dict[str, list[Difference]] = field(default_factory=dict)


class Recognition:
    def __init__(self, jobs: Jobs, memory: Memory, key: bytes) -> None:
        self._jobs = jobs
        self._memory = memory
        self._key = key

    def observed(
        self, desired: Iterator[Resource], rows: Mapping[str, Object], owned: frozenset[str], look: Look
    ) -> Iterator[Resource]:
        """What there is under desired names; a stopped job is not there. Fills `look`."""
        for wanted in desired:
            row = rows.get(wanted.name)
            spec = self._spec(wanted, row, look, ours=wanted.name in owned)
            if spec is not None:
                version = row["JobModifyIndex"] if row else 0
                yield Resource(wanted.name, spec, version=version, owned=wanted.name in owned)

    def taken_back(self, wanted: Resource, row: Object, why: str) -> None:
        """Nomad reverted what was registered: the same is not registered again as long as the job stays what it is now."""
        self._memory.known[wanted.name] = Known(digest(wanted, self._key), row["JobModifyIndex"], row["SubmitTime"], reverted=why)

    def _spec(self, wanted: Resource, row: Object | None, look: Look, *, ours: bool) -> Mapping[str, Any] | None:
        """The desired one where there is no difference, None for what is not there."""
        declared = digest(wanted, self._key)
        known = self._memory.known.get(wanted.name)
        same = known is not None and known.digest == declared
        if row is None and known is not None and same and known.finished and ours:
            return wanted.spec
        if row is not None and not row["Stop"] and known is not None and same and known.is_at(row):
            if not known.finished and _finished(row):
                self._memory.known[wanted.name] = Known(declared, known.index, known.stamp, finished=True)
            return wanted.spec
        planned = self._jobs.plan(wanted, row)
        if planned.diff["Type"] == "None" and row is not None:
            self._memory.known[wanted.name] = Known(declared, row["JobModifyIndex"], row["SubmitTime"], finished=_finished(row))
            if self._memory.registered.get(wanted.name) != row["JobModifyIndex"]:
                self._memory.registered.pop(wanted.name, None)  # somebody else brought the same about since
            return wanted.spec
        self._memory.known.pop(wanted.name, None)
        look.plans[wanted.name] = planned
        if row is None or row["Stop"]:
            return None
        look.differences[wanted.name] = [*differences(planned.diff)]
        live = {path: old for path, old, _ in look.differences[wanted.name]}
        return {**wanted.spec, "live": live}


def _finished(row: Object) -> bool:
    return row["Type"] in _ENDS and row["Status"] == "dead" and not row["Periodic"] and not row["ParameterizedJob"]
