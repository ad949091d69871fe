"""A directory as the files of a commit: what `check` and `render` look at before anything is pushed.

git puts it into a throw-away repository, and it is read from there as the agent will read it: what that refuses is refused here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from gitops_agent import process
from gitops_agent.cli.stock import COMMIT, Stock
from gitops_agent.errors import CommandFailed, ConfigError
from gitops_agent.model import Files, Revision
from gitops_agent.source.command import foreign
from gitops_agent.source.remote import Remote
from gitops_agent.source.tree import Limits, TreeReader

_TIMEOUT = 60.0
NO_REVISION = Revision("main", "0" * 40)
"""Where there is no commit."""


class WorkTree:
    """Of a git work tree what git knows or would add, of another directory everything."""

    def __init__(self, root: Path) -> None:
        """Raises ConfigError where there is no directory."""
        if not root.is_dir():
            raise ConfigError(f"{root} is no directory")
        self._root = root.absolute()
        self._paths = _paths(self._root)
        self._temporary = TemporaryDirectory(prefix="gitops-agent-")
        self.repository = Path(self._temporary.name, "repository")
        _git("init", "--quiet", "--bare", "--initial-branch=main", "--template=", self.repository)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._temporary.cleanup()

    def files(self) -> Files:
        """What a commit of the directory would hold. Raises InvalidRevision for what the agent would refuse."""
        self.add()
        tree = self._here("write-tree").decode().strip()
        remote = Remote(str(self.repository))
        limits = Limits(remote.max_file_bytes, remote.max_tree_bytes)
        return TreeReader(limits).read(Stock(self._here, tree, limits).find, COMMIT)

    def add(self) -> None:
        """Puts everything into the throw-away repository's index."""
        if self._paths:  # forced: what is tracked counts even where .gitignore names it
            options = ("--force", "--pathspec-from-file=-", "--pathspec-file-nul")
            self._here("-c", "advice.addEmbeddedRepo=false", "add", *options, stdin=self._listed())

    def commit(self) -> None:
        """As branch `main` of the throw-away repository."""
        self.add()
        who = [f"GIT_{role}_{part}" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")]
        commit = ("commit", "--quiet", "--allow-empty", "--no-verify", "--message=check")
        self._here(*commit, env=dict.fromkeys(who, "check@localhost"))

    def revision(self) -> Revision:
        """The commit that the directory was checked out from, for templates that print it."""
        with suppress(CommandFailed):
            branch, sha = _outside(self._root, "rev-parse", "--abbrev-ref", "HEAD", "HEAD").split()
            return Revision(branch, sha)
        return NO_REVISION

    def marked(self, attribute: str) -> set[str]:
        """The files whose attribute `attribute` is set, in a .gitattributes of the directory."""
        told = self._here("check-attr", "-z", "--stdin", attribute, stdin=self._listed())
        fields = told.decode(errors="surrogateescape").split("\0")
        return {path for path, value in zip(fields[::3], fields[2::3], strict=False) if value == "set"}

    def _listed(self) -> bytes:
        return "\0".join(self._paths).encode(errors="surrogateescape")

    def _here(self, *arguments: str | Path, stdin: bytes | None = None, env: dict[str, str] | None = None) -> bytes:
        # It is gone in a moment: nothing is put in order or brought to the disk, and all goes into one pack instead of a file each.
        quick = (
            "-c",
            "core.compression=0",
            "-c",
            "core.fsync=none",
            "-c",
            "core.bigFileThreshold=1",
            "-c",
            "maintenance.auto=false",
        )
        here = (f"--git-dir={self.repository}", f"--work-tree={self._root}", "-C", self._root)
        return _git(*here, *quick, *arguments, stdin=stdin, env=env)


@contextmanager
def committed(root: Path) -> Iterator[Path]:
    """A throw-away bare repository whose one commit holds the directory. Raises ConfigError where there is none."""
    with WorkTree(root) as tree:
        tree.commit()
        yield tree.repository


def _paths(root: Path) -> list[str]:
    try:
        listed = _outside(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    except CommandFailed:  # no work tree
        return sorted(_walk(root))
    return sorted({path for path in listed if path and os.path.lexists(root / path)})


def _walk(root: Path) -> Iterator[str]:
    for directory, folders, names in os.walk(root):
        if ".git" in folders:
            folders.remove(".git")
        links = [name for name in folders if Path(directory, name).is_symlink()]
        yield from (str(Path(directory, name).relative_to(root)) for name in (*names, *links))


def _git(*arguments: str | Path, stdin: bytes | None = None, env: dict[str, str] | None = None) -> bytes:
    """Without the configuration of whoever asks."""
    environment = {**foreign(), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **(env or {})}
    return process.run(["git", *arguments], timeout=_TIMEOUT, env=environment, stdin=stdin, session=False).stdout


def _outside(root: Path, *arguments: str) -> str:
    """In the work tree itself, with that configuration: it says what is ignored."""
    command = ("git", "-c", "safe.directory=*", "-C", str(root), *arguments)
    return process.run(command, timeout=_TIMEOUT, session=False).stdout.decode(errors="surrogateescape")
