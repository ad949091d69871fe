"""What the types of resources in Nomad have in common: a list call tells which there are, writes go one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

from gitops_agent import system_target
from gitops_agent.model import Change, Resource


class ResourceType(system_target.ResourceType):
    management: ClassVar[bool] = False
    """True where Nomad takes nothing less than a management token."""

    @abstractmethod
    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        """What there is of what is desired or owned."""

    @abstractmethod
    def put(self, change: Change) -> None:
        """Creates or updates; never called for ADOPT. Raises ApplyFailed, Conflict, Unavailable."""

    @abstractmethod
    def delete(self, change: Change) -> None:
        """Deletes; what is gone already is fine. Raises Conflict and the like."""
