"""A config repo on an author's machine: its files, and what they become in each environment, rendered by a process of its own while
the command that waits for it imports what it will need."""

from __future__ import annotations

import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from gitops_agent.cli import early
from gitops_agent.cli.archive import Archive
from gitops_agent.cli.reach import reach
from gitops_agent.cli.worktree import WorkTree
from gitops_agent.model import Files

OWN = "agent/agent.toml"
"""Where a repository that describes a whole mini-cloud has the agent's own settings."""


class Rendering:
    """No system is asked and no secret resolved: each is a placeholder signed with `key`."""

    def __init__(self, path: Path, changed: frozenset[str] = frozenset(), packed: str = "") -> None:
        """With `changed`, which are paths in the repository, only of what they can matter to. `packed` is an archive (see PACKED)
        that holds the files instead of the directory. Raises ConfigError where there is no directory. All is read while the caller
        goes on: what else is asked here waits for that, and raises InvalidRevision for files that the agent would refuse."""
        self.key = secrets.token_bytes(32)
        self.changed = changed
        self._begun: dict[str, Future[Files]] = {}
        with ExitStack() as stack:
            self._renderer = stack.enter_context(closing(early.renderer()))
            self._renderer.start()
            self.directory: Archive | WorkTree = Archive(packed) if packed else WorkTree(path)
            stack.enter_context(self.directory)
            self._thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="render"))
            self._read = self._thread.submit(lambda: (self.directory.files(), self.directory.revision()))
            self._opened = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for begun in self._begun.values():
            begun.cancel()
        self._opened.close()

    @property
    def files(self) -> Files:
        return self._read.result()[0]

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

    @cached_property
    def _reach(self) -> frozenset[str] | None:
        return reach(self.files, self.changed) if self.changed else None

    def wanted(self, path: str) -> bool:
        """Whether a file or folder counts."""
        return self._reach is None or path.partition("/")[0] in self._reach

    def begin(self, environment: str) -> Future[Files]:
        """Renders the environment, if nobody has begun that, after those that were begun before."""
        if environment not in self._begun:
            files, revision = self._read.result()
            given = files, environment, revision, self.key
            wanted = None if self._reach is None else lambda path: path.removesuffix(".j2") == OWN or self.wanted(path)
            self._begun[environment] = self._thread.submit(self._renderer.render, *given, wanted)
        return self._begun[environment]

    def tree(self, environment: str) -> Files:
        """All of it. Raises InvalidRevision."""
        return self.begin(environment).result()


def _folders(files: Files) -> frozenset[str]:
    return frozenset(file.partition("/")[0] for file in files if "/" in file)
