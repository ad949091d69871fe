"""Files that a program reads besides those published for it, and that somebody else writes: certificates, rendered upstreams.

What they were when the program last loaded them is noted in the target's own directory; once they differ, it is told again. Lost,
the note costs one reload that is not made.

One that became empty is not loaded at all: whoever renders it lost what it renders from, and checkers have nothing against it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

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


class Seen(TypedDict):
    """What a directory holds: a keyed digest of it all, and which of its files are more than white space, and which are not."""

    digest: str
    filled: list[str]
    empty: list[str]


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

    def observed(self, live: Mapping[str, Seen]) -> Iterator[Resource]:
        """What is seen for the first time counts as loaded: the program is not disturbed to find out."""
        noted = self._noted()
        if live.keys() - noted.keys():
            noted = {**live, **noted}
            self.note({directory: noted[directory] for directory in live})
        for directory, digest in live.items():
            yield Resource(f"{_PREFIX}{directory}", _LOADED if noted[directory] == digest else _CHANGED)

    def look(self) -> Mapping[str, Seen]:
        """All there is, by directory. Raises Unavailable."""
        return {str(directory): self._look(directory) for directory in self.directories}

    def refuse_emptied(self, live: Mapping[str, Seen]) -> None:
        """Raises Unavailable with the files that held something when they were loaded and are empty now. One that was removed was
        removed on purpose."""
        noted = self._noted()
        for directory, seen in live.items():
            emptied = set(noted[directory]["filled"]) & set(seen["empty"]) if directory in noted else ()
            if emptied:
                names = ", ".join(f"{directory}/{path}" for path in sorted(emptied))
                raise Unavailable(f"{names} became empty and is not loaded; if that is meant, remove it")

    def note(self, live: Mapping[str, Seen]) -> None:
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

    def _noted(self) -> Mapping[str, Seen]:
        try:
            noted = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        whole = isinstance(noted, dict) and all(
            isinstance(seen, dict) and Seen.__required_keys__ <= seen.keys() for seen in noted.values()
        )
        return noted if whole else {}

    def _look(self, directory: Path) -> Seen:
        current = directory / "current"
        top = current.resolve() if current.is_symlink() else directory
        found: dict[str, str] = {}
        filled: list[str] = []
        empty: list[str] = []
        try:
            for path in tree.walk(top) if top.is_dir() else ():
                file = tree.read(top / path)
                if file is not None:  # gone since the directory was read
                    found[path] = file if isinstance(file, str) else fingerprint(file.content, self._key)
                    (empty if not isinstance(file, str) and not file.content.strip() else filled).append(path)
        except OSError as error:
            raise Unavailable(f"{error.filename or directory}: {os.strerror(error.errno or 0)}") from None
        return Seen(digest=fingerprint(json.dumps(found, sort_keys=True), self._key), filled=filled, empty=empty)
