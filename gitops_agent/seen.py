"""What a target knows of its resources, so that a watch tells changes by others from its own.

The run's thread reads and writes, the watch's compares; both may be ahead of the other, so only what is newer than what is known
counts as a change.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

_NAMED = 3


class Seen:
    """ModifyIndex by resource, of what is owned or stands under a desired name; empty until the first look."""

    def __init__(self) -> None:
        self._indexes: dict[str, int] = {}
        self._lock = threading.Lock()

    def look(self, indexes: Mapping[str, int]) -> None:
        with self._lock:
            self._indexes = dict(indexes)

    @contextmanager
    def writing(self) -> Iterator[dict[str, int]]:
        """Held from before a write until what it did is noted: the watch hears of a write before the writer has its answer."""
        with self._lock:
            yield self._indexes

    def difference(self, live: Mapping[str, int], index: int) -> str:
        """What others did, as one line; empty when nothing. `index` is how new `live` is."""
        with self._lock:
            changed = [f"{name} changed" for name, known in self._indexes.items() if live.get(name, 0) > known]
            # What is missing from a look older than itself was not created yet.
            deleted = [f"{name} deleted" for name, known in self._indexes.items() if name not in live and known <= index]
        return _sentence(deleted + changed)


def _sentence(parts: Collection[str]) -> str:
    first = [*parts][:_NAMED]
    return ", ".join(first) + (f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else "")
