"""`in-place`: changed files are rewritten in their inodes, so that containers which mount single files see them.

Nothing here is atomic on disk, so the record is: what is about to change loses its «loaded» first, and gets it back last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gitops_agent.file_target import tree
from gitops_agent.file_target.publisher import Found, Publisher
from gitops_agent.file_target.record import RecordFile
from gitops_agent.secret import fingerprint


class InPlace(Publisher):
    """Files that the record does not name are foreign. Directories are never removed: one may be mounted somewhere."""

    def __init__(self, directory: Path, record: RecordFile, key: bytes) -> None:
        self.live = directory
        self._record = record
        self._key = key
        self._delta: tree.Delta = {}
        """What was published, or brought back, last."""
        self._foreign: frozenset[str] = frozenset()
        """Paths in it that are not ours once it is confirmed: taken over, then brought back."""
        self._before: tuple[tree.Delta, frozenset[str]] | None = None

    def found(self, wanted: Collection[str], /) -> Mapping[str, Found]:
        record = self._record.read()
        ours, modes = (record.files, record.modes) if record else ({}, {})
        found = {}
        for path in {**dict.fromkeys(ours), **dict.fromkeys(wanted)}:
            file = tree.read(self.live / path)
            if path in ours and isinstance(file, tree.File):
                found[path] = Found(file, True, ours[path] == self._digest(file), modes.get(path) == file.mode)
            elif path in ours:
                found[path] = Found(file, True, False)
            elif file is not None and not (file == tree.DIRECTORY and self._holds_only(ours, path)):
                found[path] = Found(file, False, True)
        return found

    def _holds_only(self, ours: Collection[str], folder: str) -> bool:
        """A folder of ours may become a file."""
        return all(f"{folder}/{below}" in ours for below in tree.walk(self.live / folder))

    def publish(self, delta: tree.Delta) -> None:
        self._before = None
        self._record.clean()
        ours = self._ours()
        before: dict[str, tree.File | None] = {}
        for path in delta:
            file = tree.read(self.live / path)
            # Something else that is taken over, a link above all, is not brought back.
            before[path] = file if isinstance(file, tree.File) else None
        foreign = frozenset(path for path, file in before.items() if file is not None and path not in ours)
        self._before = before, foreign
        self._write(delta, frozenset())

    def confirm(self) -> None:
        files = {path: digest for path, digest in self._ours().items() if path not in self._delta}
        for path, file in self._delta.items():
            if file is not None and path not in self._foreign:
                files[path] = self._digest(file)
        self._record.write(files)

    def revert(self) -> bool:
        if self._before is None:
            return False
        delta, foreign = self._before
        self._before = None
        self._write(delta, foreign)
        return True

    def adopt(self, paths: Collection[str], /) -> None:
        found = {path: tree.read(self.live / path) for path in paths}
        files = {path: file for path, file in found.items() if isinstance(file, tree.File)}
        digests = {path: self._digest(file) for path, file in files.items()}
        self._record.write({**self._ours(), **digests}, {path: file.mode for path, file in files.items()})

    def settled(self) -> bool:
        return all(self._ours().values())

    def _write(self, delta: tree.Delta, foreign: frozenset[str]) -> None:
        self._delta, self._foreign = delta, foreign
        self._record.write({**self._ours(), **dict.fromkeys(delta, "")})
        for path in (path for path, file in delta.items() if file is None):
            with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                (self.live / path).unlink()
        record = self._record.read()
        modes = record.modes if record else {}
        for path, file in delta.items():
            if file is not None:  # a script that was adopted stays executable, a secret as readable as its program needs it
                self._write_one(self.live / path, replace(file, mode=modes[path], owner=None) if path in modes else file)

    def _write_one(self, path: Path, file: tree.File) -> None:
        there = tree.read(path)
        if isinstance(there, tree.File):
            tree.rewrite(path, file)
            return
        if there == tree.DIRECTORY:
            path.rmdir()  # a folder that became a file; one that holds something foreign stays, and the apply fails
        # Staged in our own directory: a program that reads `conf.d/*` must not find half a file under another name.
        tree.make_directory(path.parent)
        with self._record.staging("staged") as staging:
            tree.create(staging / "file", file)
            (staging / "file").rename(path)
        tree.sync(path.parent)

    def _ours(self) -> Mapping[str, str]:
        record = self._record.read()
        return record.files if record else {}

    def _digest(self, file: tree.File) -> str:
        return fingerprint(file.content, self._key)
