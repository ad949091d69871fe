"""A config repo on an author's machine: its files, and what they become in each environment, rendered by a process of its own while
the command that waits for it imports what it will need."""

from __future__ import annotations

import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

from gitops_agent.cli.reach import reach
from gitops_agent.cli.worktree import WorkTree
from gitops_agent.model import Files
from gitops_agent.render import Renderer

OWN = "agent/agent.toml"
"""Where a repository that describes a whole mini-cloud has the agent's own settings."""


class Rendering:
    """No system is asked and no secret resolved: each is a placeholder signed with `key`."""

    def __init__(self, path: Path, changed: frozenset[str] = frozenset()) -> None:
        """With `changed`, which are paths in the repository, only of what they can matter to. Raises ConfigError where there is no
        directory, InvalidRevision for files that the agent would refuse."""
        self.key = secrets.token_bytes(32)
        self.changed = changed
        self._begun: dict[str, Future[Files]] = {}
        with ExitStack() as stack:
            self._renderer = stack.enter_context(closing(Renderer()))
            self._renderer.start()
            self.directory = stack.enter_context(WorkTree(path))
            self.files = self.directory.files()
            self._reach = reach(self.files, changed) if changed else None
            self._revision = self.directory.revision()
            self._thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="render"))
            self._opened = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for begun in self._begun.values():
            begun.cancel()
        self._opened.close()

    def environments(self, wanted: str = "") -> list[str]:
        """The one that is wanted, or those that values/ has a file for; without any there is one, `default`."""
        if wanted:
            return [wanted]
        named = {Path(file).stem for file in self.files if file.startswith("values/") and file.endswith(".yaml")}
        return sorted(named - {"common"}) or ["default"]

    @property
    def folders(self) -> frozenset[str]:
        """Those at the top, as far as they count."""
        return frozenset(filter(self.wanted, _folders(self.files)))

    @property
    def left_out(self) -> frozenset[str]:
        """Folders that the change does not reach."""
        return _folders(self.files) - self.folders - {"values"}

    def wanted(self, path: str) -> bool:
        """Whether a file or folder counts."""
        return self._reach is None or path.partition("/")[0] in self._reach

    def begin(self, environment: str) -> Future[Files]:
        """Renders the environment, if nobody has begun that, after those that were begun before."""
        if environment not in self._begun:
            given = self.files, environment, self._revision, self.key
            wanted = None if self._reach is None else lambda path: path.removesuffix(".j2") == OWN or self.wanted(path)
            self._begun[environment] = self._thread.submit(self._renderer.render, *given, wanted)
        return self._begun[environment]

    def tree(self, environment: str) -> Files:
        """All of it. Raises InvalidRevision."""
        return self.begin(environment).result()


def _folders(files: Files) -> frozenset[str]:
    return frozenset(file.partition("/")[0] for file in files if "/" in file)
