"""What the modules of this package have in common: each looks after one type of resource."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence

from gitops_agent import system_target
from gitops_agent.model import Change, Resource


class ResourceType(system_target.ResourceType):
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
