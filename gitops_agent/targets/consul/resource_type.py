"""What the modules of this package have in common: each looks after one type of resource."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

from gitops_agent.model import Change, Files, Resource


class ResourceType(ABC):
    """One type of resource. Its resources are named `<label>:<name>`."""

    label: ClassVar[str]
    files: ClassVar[re.Pattern[str]]
    """Which files of the folder declare resources of this type; matched whole."""
    example: ClassVar[str]
    """Such files in words, for the error about a file that is none."""

    @abstractmethod
    def parse(self, files: Files) -> Iterator[Resource]:
        """What its files say. Raises InvalidRevision."""

    @abstractmethod
    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        """What there is, `owned` being the names in the record; the foreign too: something adopted is not in the record until its
        next change. May leave out what is neither desired nor owned where asking for it is dear."""


class SingleType(ResourceType):
    """Its resources are written one by one. Never called for ADOPT changes."""

    def rank(self, name: str) -> int:  # noqa: ARG002 -- most types need no order of their own
        """Lower ones are written first and deleted last."""
        return 0

    @abstractmethod
    def put(self, change: Change) -> None:
        """Creates or updates. Raises ApplyFailed, Conflict, Unavailable."""

    @abstractmethod
    def delete(self, change: Change) -> None:
        """Deletes; what is gone already is fine."""
