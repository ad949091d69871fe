"""One owner per environment on this host: an advisory lock on a file, kept as long as the agent runs.

Every program the agent starts inherits the descriptor, so the lock outlives a killed agent until the last `compose up` it left
behind has ended: a second agent, or the same one started again, waits instead of racing it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from gitops_agent import process


class FileLock:
    """A lock file. The process id of the owner is written into it, for people."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Takes the lock if nobody has it; never waits."""
        if self._descriptor is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        process.inherited.add(descriptor)
        return True

    def owner(self) -> str:
        """What the lock file says of its owner: `process 1234`."""
        try:
            return f"process {self._path.read_text().strip() or 'unknown'}"
        except OSError:
            return "nobody"

    def release(self) -> None:
        if self._descriptor is not None:
            process.inherited.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
