"""Sessions with Concourse, one for each thread that follows a build."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gitops_agent.concourse import Builds


class Lending:
    """`connect` makes one more. Used from any thread."""

    def __init__(self, connect: Callable[[], Builds]) -> None:
        self._connect = connect
        self._free: list[Builds] = []
        self._lock = threading.Lock()

    @contextmanager
    def lend(self) -> Iterator[Builds]:
        """For one thread at a time; a build that is being aborted may still have the last one's."""
        with self._lock:
            builds = self._free.pop() if self._free else self._connect()
        try:
            yield builds
        finally:
            with self._lock:
                self._free.append(builds)
