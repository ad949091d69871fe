"""Rings when something on this host's disk changes: the ref of a branch, so that a push is noticed before it returns, or what a
target has published. A convenience: whatever is missed here, polling and resync find.
"""

from __future__ import annotations

import errno
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from watchdog import events

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

_log = logging.getLogger(__name__)
_POLL = 1.0
"""Seconds between two looks where the kernel does not tell."""
_TRIES = 10
"""Directories may come and go while they are being watched."""
_Kinds: TypeAlias = tuple[type[events.FileSystemEvent], ...]
_COMES_OR_GOES: _Kinds = (
    events.FileCreatedEvent,
    events.FileDeletedEvent,
    events.FileMovedEvent,
    events.DirCreatedEvent,
    events.DirDeletedEvent,
    events.DirMovedEvent,
)
_IS_WRITTEN: _Kinds = (events.FileModifiedEvent, events.FileAttribEvent)
_DEAF = ("virtiofs", "9p", "fuse.sshfs", "fuse.grpcfuse", "nfs", "nfs4", "cifs", "smb3")
"""File systems on which others write without this kernel knowing: shares, and what a virtual machine sees of a Mac's disk."""


class _Subject(Protocol):
    """What is watched. Paths are absolute and without links."""

    def places(self) -> Mapping[Path, bool]:
        """The directories to watch, of those that exist now; True for all that is below them too."""

    def is_structure(self, path: Path) -> bool:
        """Whether `places` changes when this path comes or goes."""

    def reason(self, path: Path) -> str:
        """What to ring with when this path changed; "" when it does not matter."""


class Watch(events.FileSystemEventHandler):
    """A watch that runs in threads of its own. After `close` nothing rings."""

    def __init__(self, subject: _Subject, ring: Callable[[str], None], kinds: _Kinds, *, polling: bool | None) -> None:
        self._subject = subject
        self._ring = ring
        self._kinds = kinds
        self._closed = False
        if polling is None:
            polling = any(_file_system(place) in _DEAF for place in subject.places())
        self._polling = polling
        self._observer = self._begin()
        self._arm()

    def close(self) -> None:
        self._closed = True
        self._observer.stop()
        self._observer.join()

    def dispatch(self, event: events.FileSystemEvent) -> None:
        """What watchdog calls, in the observer's thread."""
        if self._closed:
            return
        paths = [Path(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path]
        if event.event_type != "modified" and any(self._subject.is_structure(path) for path in paths):
            self._arm()
        for path in paths:
            if reason := self._subject.reason(path):
                self._ring(reason)
                return

    def _arm(self) -> None:
        """Watches what there is to watch now. Runs in the constructor's thread once and later in the observer's; should both be at
        it, the last one to begin schedules everything. A lock would have to be taken while the observer holds its own."""
        for _ in range(_TRIES):
            places = self._subject.places()
            self._observer.unschedule_all()
            try:
                for place, recursive in places.items():
                    self._schedule(place, recursive=recursive)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EMFILE) and not self._polling:
                    self._poll_instead(error)
                    self._observer.stop()
                    self._observer = self._begin()
                continue  # something was deleted meanwhile
            if self._subject.places() == places:
                return

    def _schedule(self, place: Path, *, recursive: bool) -> None:
        if not os.access(place, os.R_OK | os.X_OK):  # watchdog would say nothing and hear nothing
            _log.warning("cannot watch a directory that cannot be read", extra={"directory": str(place)})
            return
        self._observer.schedule(self, str(place), recursive=recursive, event_filter=[*self._kinds])

    def _begin(self) -> BaseObserver:
        from watchdog.observers import Observer
        from watchdog.observers.polling import PollingObserver

        # It comes upon a directory twice, by its event and in its parent, when both are new; one of the two is enough.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        observer: BaseObserver | None = None
        if not self._polling:
            try:
                observer = Observer()
            except OSError as error:
                self._poll_instead(error)
        observer = observer or PollingObserver(timeout=_POLL)
        observer.start()
        return observer

    def _poll_instead(self, error: OSError) -> None:
        _log.warning("watching by polling", extra={"why": f"{error.strerror}; fs.inotify.* of sysctl are the limits"})
        self._polling = True


def ref(repository: Path, branch: str, ring: Callable[[str], None], *, polling: bool | None = None) -> Watch:
    """Rings with `refs` when the branch of a bare repository moves, appears or goes. The repository need not exist yet.

    Nothing is read, and reading rings nobody: fetching from the same repository opens and closes files there, and only what is
    moved, created or deleted counts. A lock that becomes the ref is a move. `polling`: None decides by the file system.
    """
    return Watch(_Ref(repository.resolve(), branch), ring, _COMES_OR_GOES, polling=polling)


def directories(
    paths: Iterable[Path], ring: Callable[[str], None], *, ignore: Iterable[str] = (), polling: bool | None = None
) -> Watch:
    """Rings with a path below `paths` that was written, changed its mode, came or went. The directories need not exist yet.

    `ignore`: shell patterns; a path is ignored when its name, or its path below the directory, matches one.
    """
    roots = tuple(path.resolve() for path in paths)
    return Watch(_Directories(roots, tuple(ignore)), ring, (*_COMES_OR_GOES, *_IS_WRITTEN), polling=polling)


class _Ref:
    def __init__(self, repository: Path, branch: str) -> None:
        heads = repository / "refs" / "heads"
        self._places = {repository.parent: False, repository: False, heads: True, repository / "reftable": False}
        self._structure = {repository, *repository.parents, heads, heads.parent, repository / "reftable"}
        # packed-refs too: a packed branch is deleted there. When git packs refs it rings for nothing, which costs a fetch.
        self._meant = {
            heads / branch,
            *(folder for folder in (heads / branch).parents if heads in folder.parents),
            repository / "packed-refs",
            repository / "reftable" / "tables.list",
        }

    def places(self) -> Mapping[Path, bool]:
        return _existing(self._places)

    def is_structure(self, path: Path) -> bool:
        return path in self._structure

    def reason(self, path: Path) -> str:
        return "refs" if path in self._meant or path in self._structure else ""


class _Directories:
    def __init__(self, roots: tuple[Path, ...], ignore: tuple[str, ...]) -> None:
        self._roots = roots
        self._ignore = ignore
        self._structure = {above for root in roots for above in (root, *root.parents)}

    def places(self) -> Mapping[Path, bool]:
        return _existing({root.parent: False for root in self._roots} | dict.fromkeys(self._roots, True))

    def is_structure(self, path: Path) -> bool:
        return path in self._structure

    def reason(self, path: Path) -> str:
        for root in self._roots:
            if path == root:
                return str(path)
            if root in path.parents:
                names = (path.name, str(path.relative_to(root)))
                return "" if any(fnmatch(name, pattern) for pattern in self._ignore for name in names) else str(path)
        return ""


def _existing(places: Mapping[Path, bool]) -> Mapping[Path, bool]:
    """The places that exist, and for each that does not the nearest directory above it: there it, or what leads to it, appears."""
    there: dict[Path, bool] = {}
    for place, recursive in places.items():
        if place.is_dir():
            there[place] = recursive or there.get(place, False)
        else:
            there.setdefault(next(above for above in place.parents if above.is_dir()), False)
    return there


def _file_system(place: Path) -> str:
    """Its type as Linux names it, "" elsewhere."""
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    fields = [line.split() for line in mounts]
    above = [(point, kind) for _, point, kind, *_ in fields if place.is_relative_to(point.replace("\\040", " "))]
    return max(above, key=lambda mount: len(mount[0]), default=("", ""))[1]
