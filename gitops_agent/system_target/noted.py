"""Resources that are noted in a record beside them, because the system has no room for a mark and never tells all it was told.

A name is in the record before its resource is created and until after it is deleted. Should the agent die in between, a name
without a resource is simply created by the next run, and what was not noted is written once more.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from gitops_agent.adopted import Adopted
from gitops_agent.errors import AgentError
from gitops_agent.model import Action, Batch, Change, Resource
from gitops_agent.plan import Plan
from gitops_agent.system_target.types import ResourceType, Types

_Note = TypeVar("_Note")


class NotedType(ResourceType, Generic[_Note]):
    @abstractmethod
    def observe(self, desired: Mapping[str, Resource], owned: Mapping[str, _Note]) -> Iterator[Resource]:
        """What there is under a desired or an owned name."""

    @abstractmethod
    def put(self, change: Change) -> _Note:
        """Creates or updates; gives what the record shall say. Raises ApplyFailed, Conflict, Unavailable."""

    @abstractmethod
    def delete(self, change: Change) -> None:
        """Deletes; what is gone already is fine."""

    def adopt(self, change: Change) -> Mapping[str, Any]:  # noqa: ARG002 -- most types have nothing to remember
        """Takes over what is as declared; gives what there is to remember, as plain JSON. Writes nothing to the system."""
        return {}


class Record(Protocol[_Note]):
    notes: dict[str, _Note]
    """By name of the resource, as last seen or to be saved."""

    def save(self) -> None:
        """Writes nothing where nothing changed. Raises Conflict when somebody else wrote it."""


class Noted(Generic[_Note]):
    """Applies plans. `nothing` is the note of a resource of which nothing is known but its name; `allows` tells which names this
    target may own."""

    def __init__(
        self,
        types: Types[NotedType[_Note]],
        record: Record[_Note],
        adopted: Adopted,
        nothing: _Note,
        allows: Callable[[str], bool],
    ) -> None:
        self._types, self._record, self._adopted = types, record, adopted
        self._nothing, self._allows = nothing, allows
        self.found: set[str] = set()
        """Names of what there is, as last observed or written."""

    def apply(self, plan: Plan) -> Iterator[Batch]:
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            self._adopted.add({change.name: self._types.of(change).adopt(change) for change in adopted})
            yield adopted
        yield from self._put(plan.only(Action.CREATE, Action.UPDATE).changes)
        yield from self._delete(plan.only(Action.DELETE).changes)

    def _put(self, changes: Sequence[Change]) -> Iterator[Batch]:
        if not changes:
            return
        notes = self._record.notes
        for change in changes:
            notes.setdefault(change.name, self._nothing)
        self._record.save()
        try:
            for change in changes:
                notes[change.name] = self._types.of(change).put(change)
                self._adopted.remove(change.name)
                self.found.add(change.name)
                yield (change,)
        except BaseException:
            with suppress(AgentError):  # what went wrong first is what people should hear of
                self._record.save()
            raise
        self._record.save()

    def _delete(self, changes: Sequence[Change]) -> Iterator[Batch]:
        for change in changes:
            self._types.of(change).delete(change)
            self._adopted.remove(change.name)
            self.found.discard(change.name)
            yield (change,)
        if changes:
            # What others deleted is dropped as well: whoever creates a thing of that name again shall find it to be theirs.
            for name in [*self._record.notes]:
                if self._allows(name) and name not in self.found:
                    del self._record.notes[name]
            self._record.save()
