"""Builds that were begun, in a file: an agent that was killed goes on with them instead of starting others."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Begun:
    """One build: of what (`subject`, in the words of whoever began it), its number, and when, in seconds since the epoch. `over`:
    what it came to was said."""

    subject: str
    number: int
    at: float
    over: bool = False


class BegunBuilds:
    """The last build of each key. Any thread may use it. A file that is lost or cannot be written costs a build that nobody
    follows, and nothing else; so does a kill between the request and its answer."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, Begun] | None = None

    def last(self, key: str) -> Begun | None:
        with self._lock:
            return self._all().get(key)

    def known(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._all())

    def keep(self, key: str, begun: Begun) -> None:
        with self._lock:
            self._write({**self._all(), key: begun})

    def conclude(self, key: str, number: int) -> None:
        """Notes that the build is over, unless another one was begun since."""
        with self._lock:
            known = self._all().get(key)
            if known is not None and known.number == number:
                self._write({**self._all(), key: replace(known, over=True)})

    def forget(self, key: str) -> None:
        with self._lock:
            if key in self._all():
                self._write({other: begun for other, begun in self._all().items() if other != key})

    def _all(self) -> Mapping[str, Begun]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[str, Begun]:
        try:
            return {str(key): Begun(**fields) for key, fields in json.loads(self._file.read_text()).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            _log.warning("builds that were begun cannot be read", extra={"file": str(self._file), "why": str(error)})
            return {}

    def _write(self, known: dict[str, Begun]) -> None:
        self._known = known
        staged = self._file.with_suffix(".new")
        try:
            staged.write_text(json.dumps({key: asdict(begun) for key, begun in known.items()}))
            staged.replace(self._file)
        except OSError as error:
            _log.warning("a build that was begun cannot be kept", extra={"file": str(self._file), "why": str(error)})
