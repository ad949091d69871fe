"""What the types of resources in Nomad have in common: a list call tells which there are, writes go one by one."""

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
    """Which files of the folder declare resources of this type; matched whole, the first type that takes a file has it."""
    example: ClassVar[str]
    """Such files in words, for the error about a file that is none."""
    management: ClassVar[bool] = False
    """True where Nomad takes nothing less than a management token."""

    @abstractmethod
    def parse(self, files: Files) -> Iterator[Resource]:
        """What its files say. Raises InvalidRevision."""

    @abstractmethod
    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        """What there is of what is desired or owned."""

    @abstractmethod
    def put(self, change: Change) -> None:
        """Creates or updates; never called for ADOPT. Raises ApplyFailed, Conflict, Unavailable."""

    @abstractmethod
    def delete(self, change: Change) -> None:
        """Deletes; what is gone already is fine. Raises Conflict and the like."""
