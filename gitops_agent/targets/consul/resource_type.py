"""What the modules of this package have in common: each looks after one type of resource."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from gitops_agent.model import Batch, Change, Files, Resource


class ResourceType(ABC):
    """One type of resource. Its resources are named `<label>:<name>`."""

    label: ClassVar[str]
    files: ClassVar[re.Pattern[str]]
    """Which files of the folder declare resources of this type; matched whole."""
    example: ClassVar[str]
    """Such files in words, for the error about a file that is none."""

    @abstractmethod
    def scope(self) -> frozenset[str]:
        """What may be owned, without the address."""

    @abstractmethod
    def parse(self, files: Files) -> Iterator[Resource]:
        """What its files say. Raises InvalidRevision."""

    @abstractmethod
    def observe(self, desired: Sequence[Resource]) -> Iterator[Resource]:
        """What is owned, and all else in its scope as not owned: something adopted carries no mark until its next change."""

    @abstractmethod
    def apply(self, changes: Sequence[Change]) -> Iterator[Batch]:
        """Makes its changes real, in their order. There is none with ADOPT among them."""
