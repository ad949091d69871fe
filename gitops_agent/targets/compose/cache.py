"""What Compose made of a tree of files, kept by the tree's digest: an unchanged project starts no program.

Thrown away it costs one slow run. It says nothing about ownership, and holds no secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from gitops_agent.secret import fingerprint
from gitops_agent.targets.compose.facts import Facts
from gitops_agent.targets.compose.project_files import digests
from gitops_agent.targets.compose.settings import ComposeSettings

_KEPT = 5
"""Trees: the applied one, the one to come, and a few to go back to."""
_SHAPE = 1
"""Of `Facts`; another number forgets what an older agent wrote."""


class Cache:
    def __init__(self, directory: Path, key: bytes) -> None:
        self._directory = directory
        self._key = key
        self._known: dict[str, Facts] = {}

    def facts(self, files: Mapping[str, bytes], settings: ComposeSettings, tool: str, ask: Callable[[], Facts]) -> Facts:
        """`ask` is only called for a tree that is not known."""
        about = [_SHAPE, tool, settings.project, str(settings.directory), settings.files, sorted(digests(files, self._key).items())]
        tree = fingerprint(json.dumps(about), self._key)[:32]
        if tree not in self._known:
            self._known = {tree: self._read(tree) or self._write(tree, ask())}
        return self._known[tree]

    def _read(self, tree: str) -> Facts | None:
        path = self._path(tree)
        with suppress(OSError, ValueError, KeyError, TypeError):
            facts = Facts.load(path.read_text())
            path.touch()
            return facts
        return None

    def _write(self, tree: str, facts: Facts) -> Facts:
        staged = self._path(tree).with_suffix(".new")
        staged.write_text(facts.dump())
        staged.replace(self._path(tree))
        for old in sorted(self._directory.glob("facts-*.json"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
            old.unlink(missing_ok=True)
        return facts

    def _path(self, tree: str) -> Path:
        return self._directory / f"facts-{tree}.json"
