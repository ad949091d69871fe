"""What the target asks of an nginx, wherever it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path, PurePath
from typing import NamedTuple


class Presence(StrEnum):
    RUNNING = "running"
    STARTING = "starting"
    """It may be reading its files at this moment, old ones or new ones."""
    STOPPED = "stopped"
    ABSENT = "absent"
    """Its container does not exist yet: another target is going to bring it."""


class Sight(NamedTuple):
    """An nginx as it is at one moment."""

    presence: Presence
    workers: Mapping[int, bool] = {}
    """By pid: True while one takes connections, False once it is shutting down."""
    master: int = 0


class Nginx(ABC):
    """One nginx. All raise Unavailable where it, or the Docker Engine, cannot be asked."""

    pause: float
    """Seconds between looks at its workers: as short as looking is cheap."""

    def edit(self, _staged: Path, content: bytes) -> bytes:
        """A file as it must read to be checked in `staged`."""
        return content

    @abstractmethod
    def test(self, staged: Path) -> None:
        """`nginx -t` on a copy of what is to be published. Raises InvalidRevision, or Unavailable where the author is not to
        blame."""

    @abstractmethod
    def look(self) -> Sight: ...

    @abstractmethod
    def reload(self, sight: Sight) -> None:
        """Tells the master, as just seen, to read its files again. It may refuse: then the workers stay as they are."""

    @abstractmethod
    def complaints(self) -> str:
        """What nginx wrote to its error log since the last `reload`, as far as it can be read."""

    def close(self) -> None:  # noqa: B027 -- one on this host holds nothing
        """Lets go of connections."""


_MASTER = "nginx: master process"
_WORKER = "nginx: worker process"
_LEAVING = "is shutting down"


def is_master(title: str) -> bool:
    return title.startswith(_MASTER)


def is_starting(title: str, binary: str) -> bool:
    """An nginx that has not got as far as calling itself one, by its command line; `nginx -t` and its like start nothing."""
    program, _, arguments = title.partition(" ")
    return PurePath(program).name == PurePath(binary).name and not {"-t", "-T", "-s", "-v", "-V"} & set(arguments.split())


def processes(look: Callable[[], Mapping[int, str]], wanted: Callable[[str], bool]) -> Mapping[int, str]:
    """Command lines by pid, looked at until one is wanted or nobody came since the look before.

    On its way to the background nginx forks and ends, with its files read and its pid not yet written: a single look can list the
    first process, find it ended, and have missed the second.
    """
    before: Mapping[int, str] = {}
    while (now := look()).keys() - before.keys() and not any(map(wanted, now.values())):
        before = now
    return now


def takes_connections(title: str) -> bool | None:
    """Of a worker, whether it takes connections; None for what is no worker."""
    return _LEAVING not in title if title.startswith(_WORKER) else None
