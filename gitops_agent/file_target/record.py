"""What the agent notes in a published directory, beside the files: whose they are, and which of them a program was seen to load.

It is the mark of ownership, in the system itself. Lost, it costs an adoption: files that are as declared are ours again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gitops_agent.errors import ConfigError
from gitops_agent.file_target import tree

_log = logging.getLogger(__name__)
_OLDEST_CHECK = 600.0
"""Seconds."""


@dataclass(frozen=True)
class Record:
    """`files`: every file of ours by its path, with the keyed digest of the content that was last loaded; empty for one that is
    published and not verified yet. `modes`: the permissions of those that were adopted, as they were found; they keep them."""

    owner: str
    files: Mapping[str, str] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)


class RecordFile:
    """`.gitops-agent/record.json` in the published directory. `owner` is `environment/target`."""

    def __init__(self, directory: Path, owner: str) -> None:
        self.private = directory / tree.PRIVATE
        self._path = self.private / "record.json"
        self._owner = owner

    def read(self) -> Record | None:
        """None where nothing was ever published. Raises ConfigError when the directory is somebody else's."""
        try:
            data = json.loads(self._path.read_bytes())
            files = {str(path): str(digest) for path, digest in data["files"].items()}
            modes = {str(path): int(mode, 8) for path, mode in data.get("modes", {}).items()}
            record = Record(str(data["owner"]), files, modes)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            _log.warning("record of published files is damaged and ignored", extra={"file": str(self._path)})
            return None
        if record.owner != self._owner:
            raise ConfigError(f"{self.private.parent} is published by {record.owner}; to take it over, remove {self._path}")
        return record

    def write(self, files: Mapping[str, str], adopted: Mapping[str, int] | None = None) -> None:
        """`adopted`: modes of files that are adopted now; of those that were before, they are known."""
        before = self.read()
        known = {**(before.modes if before else {}), **(adopted or {})}
        modes = {path: f"{mode:04o}" for path, mode in known.items() if path in files}
        self.make_private()
        staged = self._path.with_suffix(".new")
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump({"owner": self._owner, "files": dict(files), "modes": modes}, file, indent=0, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        staged.rename(self._path)
        tree.sync(self.private)

    def make_private(self) -> Path:
        """The agent's own directory, for nobody else."""
        tree.make_directory(self.private, 0o700)
        return self.private

    def clean(self) -> None:
        """Removes what a killed agent was about to write; called by whoever holds the environment's lock. A check may be that of
        a `plan` at this very moment: those go when they are old."""
        for entry in self.private.iterdir() if self.private.is_dir() else ():
            old = entry.name.startswith("check-") and time.time() - entry.stat().st_mtime > _OLDEST_CHECK
            if old or entry.name.startswith("staged-"):
                shutil.rmtree(entry, ignore_errors=True)

    @contextmanager
    def staging(self, purpose: str) -> Iterator[Path]:
        """A new directory on the same file system, gone afterwards. `purpose` is `staged` or `check`."""
        directory = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=self.make_private()))
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
