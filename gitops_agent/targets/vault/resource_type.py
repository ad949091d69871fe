"""What the modules of this package have in common: each looks after one type of resource."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, TypeAlias

from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.vault.record import Note

Resources: TypeAlias = Mapping[str, Resource]
Notes: TypeAlias = Mapping[str, Note]
NOTHING = Note()


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
    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        """What there is under a desired or an owned name."""

    @abstractmethod
    def put(self, change: Change) -> Note:
        """Creates or updates; gives what the record shall say. Raises ApplyFailed, Conflict, Unavailable."""

    @abstractmethod
    def delete(self, change: Change) -> None:
        """Deletes; what is gone already is fine."""

    def adopt(self, change: Change) -> Note:  # noqa: ARG002 -- most types have nothing to remember
        """Takes over what is as declared; gives what there is to remember. Writes nothing to Vault."""
        return NOTHING
