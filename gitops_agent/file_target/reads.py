"""Files that a program reads besides those published for it, and that somebody else writes: certificates, rendered upstreams.

What they were when the program last loaded them is noted in the target's own directory; once they differ, it is told again. Lost,
the note costs one reload that is not made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gitops_agent.errors import Unavailable
from gitops_agent.file_target import tree
from gitops_agent.model import Action, Resource
from gitops_agent.plan import Plan
from gitops_agent.secret import fingerprint
from gitops_agent.target import Site

_PREFIX = "reads:"
_LOADED = {"loaded": "as it lies there"}
_CHANGED = {"loaded": "not as it lies there"}
_REASON = "changed since it was loaded"


class Reads:
    """`directories` of the settings. One that another target publishes by `switch` counts as what its `current` leads to."""

    def __init__(self, directories: Sequence[Path], site: Site) -> None:
        self.directories = directories
        self._file = site.directory / "reads.json"
        self._key = site.key

    @staticmethod
    def is_one(name: str) -> bool:
        """Whether a resource is one of these and no published file."""
        return name.startswith(f"{_PREFIX}/")

    def desired(self) -> Iterator[Resource]:
        for directory in self.directories:
            yield Resource(f"{_PREFIX}{directory}", _LOADED)

    def observed(self, live: Mapping[str, str]) -> Iterator[Resource]:
        """What is seen for the first time counts as loaded: the program is not disturbed to find out."""
        noted = self._noted()
        if live.keys() - noted.keys():
            noted = {**live, **noted}
            self.note({directory: noted[directory] for directory in live})
        for directory, digest in live.items():
            yield Resource(f"{_PREFIX}{directory}", _LOADED if noted[directory] == digest else _CHANGED)

    def look(self) -> Mapping[str, str]:
        """Keyed digests of all there is, by directory. Raises Unavailable."""
        return {str(directory): self._digest(directory) for directory in self.directories}

    def note(self, live: Mapping[str, str]) -> None:
        """`live` is from before the program was told: what changed meanwhile is seen next time."""
        if live == self._noted():
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        staged = self._file.with_suffix(".new")
        staged.write_text(json.dumps(dict(live)))
        staged.rename(self._file)

    def review(self, plan: Plan) -> Plan:
        """Nobody wants to see a digest; and the guard counts files: what is read is never deleted."""
        changes = (
            replace(change, reason=_REASON, follows=True) if self.is_one(change.name) and change.action is Action.UPDATE else change
            for change in plan
        )
        return replace(plan, changes=tuple(changes), owned=max(0, plan.owned - len(self.directories)))

    def concerns(self, path: Path) -> bool:
        return any(path.is_relative_to(directory.resolve()) for directory in self.directories)

    def _noted(self) -> Mapping[str, str]:
        try:
            noted = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def _digest(self, directory: Path) -> str:
        current = directory / "current"
        top = current.resolve() if current.is_symlink() else directory
        found: dict[str, str] = {}
        try:
            for path in tree.walk(top) if top.is_dir() else ():
                file = tree.read(top / path)
                if file is not None:  # gone since the directory was read
                    found[path] = file if isinstance(file, str) else fingerprint(file.content, self._key)
        except OSError as error:
            raise Unavailable(f"{error.filename or directory}: {os.strerror(error.errno or 0)}") from None
        return fingerprint(json.dumps(found, sort_keys=True), self._key)
