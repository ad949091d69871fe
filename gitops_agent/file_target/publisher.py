"""What the two ways to publish have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops_agent.file_target.tree import Delta, File


@dataclass(frozen=True)
class Found:
    """What lies under one path where the program reads. `file` is a text for something that is no regular file, None for a file
    that is gone but was loaded."""

    file: File | str | None
    owned: bool
    loaded: bool
    """Whether the program was seen to load this very content; True of what is not ours."""
    as_found: bool = False
    """Whether it was adopted, and still has the mode it had then: that mode is as good as the one of the settings."""


class Publisher(ABC):
    """One directory. `publish`, then `confirm` once the program was seen to have loaded it, or `revert`."""

    live: Path
    """Where the program reads."""

    @abstractmethod
    def found(self, wanted: Collection[str], /) -> Mapping[str, Found]:
        """All that is ours, and what else lies under the wanted paths. Changes nothing. Raises ConfigError for a directory that
        is somebody else's."""

    @abstractmethod
    def publish(self, delta: Delta) -> None:
        """Puts the files where the program reads them. Cut short anywhere, `found` tells what is missing."""

    @abstractmethod
    def confirm(self) -> None:
        """The program has loaded what was published, or brought back, last."""

    @abstractmethod
    def revert(self) -> bool:
        """Brings back what was there before the last `publish` of this process; False when there was none."""

    @abstractmethod
    def adopt(self, paths: Collection[str], /) -> None:
        """These files are ours from now on, as they lie there. The mark lies beside them: they are not touched."""

    @abstractmethod
    def settled(self) -> bool:
        """Whether everything published was also loaded, as far as the marks say."""
