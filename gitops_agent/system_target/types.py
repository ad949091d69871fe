"""The types of resources that a system has, in the order in which they need each other: whose is a file, whose a change."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Action, Change, Files, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import collect

_IGNORED = re.compile(r"(.*/)?(\.[^/]*|[^/]*\.md)")
"""`.gitkeep`, `README.md`: for people."""


class ResourceType(ABC):
    """One type of resource. Its resources are named `<label>:<name>`."""

    label: ClassVar[str]
    files: ClassVar[re.Pattern[str]]
    """Which files of the folder declare resources of this type; matched whole, the first type that takes a file has it."""
    example: ClassVar[str]
    """Such files in words, for the error about a file that is none."""

    @abstractmethod
    def parse(self, files: Files) -> Iterator[Resource]:
        """What its files say. Raises InvalidRevision."""


_Type = TypeVar("_Type", bound=ResourceType)


class Types(Generic[_Type]):
    """`kind` is that of the target."""

    def __init__(self, kind: str, types: Iterable[_Type]) -> None:
        self._kind = kind
        self._types = {one.label: one for one in types}

    def __iter__(self) -> Iterator[_Type]:
        return iter(self._types.values())

    def parse(self, files: Files) -> State:
        """What the folder says. Raises InvalidRevision."""
        taken: dict[str, dict[str, bytes]] = {name: {} for name in self._types}
        for path, content in files.items():
            owner = next((one for one in self if one.files.fullmatch(path)), None)
            if owner is not None:
                taken[owner.label][path] = content
            elif not _IGNORED.fullmatch(path):
                known = ", ".join(one.example for one in self)
                raise InvalidRevision(f"is nothing that a {self._kind} folder holds: {known}", file=path)
        return collect(resource for one in self for resource in one.parse(taken[one.label]))

    def of(self, change: Change) -> _Type:
        return self._types[label(change.name)]

    def ordered(self, plan: Plan) -> Plan:
        """What others need comes first and goes last."""
        return replace(plan, changes=tuple(sorted(plan, key=self.position)))

    def position(self, change: Change) -> tuple[int, int]:
        place = [*self._types].index(label(change.name))
        return (1, -place) if change.action is Action.DELETE else (0, place)


def label(name: str) -> str:
    return name.partition(":")[0]
