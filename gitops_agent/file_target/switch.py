"""`switch`: a directory a version, and the link `current` that is moved in one step.

versions/0007-3fa9c1d2/   complete, never changed after it got its name
current → versions/…      what the program reads
loaded  → versions/…      what it was seen to have loaded: the last mark to move, so a crash before it is noticed
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from gitops_agent.errors import ConfigError
from gitops_agent.file_target import tree
from gitops_agent.file_target.publisher import Found, Publisher
from gitops_agent.file_target.record import RecordFile
from gitops_agent.secret import fingerprint


class Switch(Publisher):
    """`directory` is the one above the links; a container mounts it. Everything in a version is ours."""

    def __init__(self, directory: Path, record: RecordFile, key: bytes, keep: int) -> None:
        self.live = directory / "current"
        self._loaded = directory / "loaded"
        self._versions = directory / "versions"
        self._record = record
        self._key = key
        self._keep = keep
        self._before: Path | None = None
        """What `current` led to before the last publish; None when there was none, or nothing."""
        self._published = False

    def found(self, _wanted: Collection[str] = ()) -> Mapping[str, Found]:
        self._record.read()
        if not self.live.is_symlink() and self.live.exists():
            raise ConfigError(f"{self.live} is not a link of ours; publish elsewhere, or in-place")
        current = self._read(self.live)
        loaded = current if self.settled() else self._read(self._loaded)
        return {path: Found(current.get(path), True, current.get(path) == loaded.get(path)) for path in {**current, **loaded}}

    def publish(self, delta: tree.Delta) -> None:
        self._published = False
        private = self._record.make_private()
        self._record.clean()
        if self._record.read() is None:
            self._record.write({})
        with self._record.staging("staged") as staging:
            staged = staging / "version"
            tree.copy(self.live, delta, staged, durable=True)
            name = self._name(staged)
            tree.make_directory(self._versions)
            staged.rename(self._versions / name)
        tree.sync(self._versions)
        self._before, self._published = self._version(self.live), True
        tree.move_link(self.live, f"versions/{name}", private)

    def confirm(self) -> None:
        current = self._version(self.live)
        if current is None:
            self._loaded.unlink(missing_ok=True)
        else:
            tree.move_link(self._loaded, f"versions/{current.name}", self._record.private)
        self._forget_old()

    def revert(self) -> bool:
        if not self._published:
            return False
        self._published = False
        # The program may have loaded what is taken back: what was loaded before says nothing any more.
        self._loaded.unlink(missing_ok=True)
        if self._before is None:
            self.live.unlink(missing_ok=True)
        else:
            tree.move_link(self.live, f"versions/{self._before.name}", self._record.private)
        return True

    def adopt(self, _paths: Collection[str] = ()) -> None:
        """Nothing in a version is foreign."""

    def settled(self) -> bool:
        return self._version(self.live) == self._version(self._loaded)

    def _read(self, link: Path) -> Mapping[str, tree.File | str]:
        if not link.is_dir():
            return {}
        found = {path: tree.read(link / path) for path in tree.walk(link.resolve())}
        return {path: file for path, file in found.items() if file is not None}

    def _version(self, link: Path) -> Path | None:
        """The version a link leads to, None when it leads nowhere we know."""
        if not link.is_symlink():
            return None
        version = self._versions / link.readlink().name
        return version if version.is_dir() else None

    def _name(self, staged: Path) -> str:
        """Numbered, so that people see the order, and a version that somebody edited by hand is never used again."""
        numbers = [int(version.name[:4]) for version in self._all()]
        files = {path: tree.read(staged / path) for path in tree.walk(staged)}
        content = {path: hashlib.sha256(file.content).hexdigest() for path, file in files.items() if isinstance(file, tree.File)}
        digest = fingerprint(json.dumps(content, sort_keys=True), self._key)[:8]
        return f"{max(numbers, default=0) % 9999 + 1:04}-{digest}"

    def _all(self) -> list[Path]:
        if not self._versions.is_dir():
            return []
        return [version for version in self._versions.iterdir() if version.name[:4].isdecimal()]

    def _forget_old(self) -> None:
        """Failure mode 68: all but the newest few and what is in use."""
        in_use = {self._version(self.live), self._version(self._loaded), self._before}
        old = sorted((version for version in self._all() if version not in in_use), key=lambda version: version.stat().st_mtime)
        for version in old[: -self._keep]:
            shutil.rmtree(version, ignore_errors=True)
