"""What could not be written while the journal was lost: kept in memory until it can be, or a commit would stay pending for ever."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from gitops_agent.model import CommitStatus, Run

_MOST = 100


@dataclass(frozen=True)
class Entry:
    run: Run
    reports: tuple[CommitStatus, ...]


class Owed:
    """By run, in the order they were to be written; of more than a hundred the oldest are given up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}

    def add(self, run: Run, reports: Sequence[CommitStatus]) -> None:
        with self._lock:
            earlier = self._entries.get(run.id)
            self._entries[run.id] = Entry(run, ((*earlier.reports, *reports) if earlier else tuple(reports)))
            for oldest in list(self._entries)[:-_MOST]:
                del self._entries[oldest]

    def entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries.values())

    def paid(self, entries: Sequence[Entry]) -> None:
        """These were written. One that was added to since is owed still."""
        with self._lock:
            for entry in entries:
                if self._entries.get(entry.run.id) is entry:
                    del self._entries[entry.run.id]
