"""A directory as the files of a commit: what `check` and `render` look at before anything is pushed.

It is committed to a throw-away repository, and read from there as the agent will read it: what the agent refuses is refused here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from gitops_agent import process
from gitops_agent.errors import CommandFailed, ConfigError
from gitops_agent.model import Files, Revision
from gitops_agent.source import Remote
from gitops_agent.source.command import foreign
from gitops_agent.source.objects import Objects
from gitops_agent.source.tree import Limits, TreeReader

_TIMEOUT = 60.0
_NO_COMMIT = "0" * 40


def read(root: Path) -> Files:
    """What a commit of the directory would hold: of a git work tree what git knows or would add, of another directory everything.

    Raises InvalidRevision for what the agent would refuse, ConfigError where there is no directory.
    """
    with committed(root) as repository:
        remote = Remote(str(repository))
        objects = Objects(repository, dict, _TIMEOUT)
        try:
            with objects.open() as find:
                return TreeReader(Limits(remote.max_file_bytes, remote.max_tree_bytes)).read(find, "HEAD")
        finally:
            objects.close()


@contextmanager
def committed(root: Path) -> Iterator[Path]:
    """A throw-away bare repository whose one commit holds the directory. Raises ConfigError where there is none."""
    if not root.is_dir():
        raise ConfigError(f"{root} is no directory")
    with TemporaryDirectory(prefix="gitops-agent-") as temporary:
        repository = Path(temporary, "repository")
        _commit(root.absolute(), repository)
        yield repository


def revision(root: Path) -> Revision:
    """The commit that the directory was checked out from, for templates that print it."""
    with suppress(CommandFailed):
        branch, sha = _git(root, "rev-parse", "--abbrev-ref", "HEAD", "HEAD").split()
        return Revision(branch, sha)
    return Revision("main", _NO_COMMIT)


def marked(root: Path, attribute: str) -> set[str]:
    """The files whose attribute `attribute` is set, in a .gitattributes of the directory."""
    paths = _paths(root)
    with TemporaryDirectory(prefix="gitops-agent-") as temporary:
        process.run(["git", "init", "--quiet", "--bare", "--template=", temporary], timeout=_TIMEOUT, env=foreign())
        here = ("git", f"--git-dir={temporary}", f"--work-tree={root.absolute()}", "-C", root.absolute())
        listed = "\0".join(paths).encode(errors="surrogateescape")
        done = process.run([*here, "check-attr", "-z", "--stdin", attribute], timeout=_TIMEOUT, env=foreign(), stdin=listed)
    told = done.stdout.decode(errors="surrogateescape").split("\0")
    return {path for path, value in zip(told[::3], told[2::3], strict=False) if value == "set"}


def _commit(root: Path, repository: Path) -> None:
    author = {"GIT_AUTHOR_NAME": "check", "GIT_AUTHOR_EMAIL": "check@localhost"}
    committer = {"GIT_COMMITTER_NAME": "check", "GIT_COMMITTER_EMAIL": "check@localhost"}
    environment = {**foreign(), **author, **committer, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*arguments: str | Path, stdin: bytes | None = None) -> None:
        process.run(["git", *arguments], timeout=_TIMEOUT, env=environment, stdin=stdin)

    git("init", "--quiet", "--bare", "--initial-branch=main", "--template=", repository)
    # It is gone in a moment: nothing is packed or put in order.
    quick = ("-c", "core.compression=0", "-c", "maintenance.auto=false")
    here = (f"--git-dir={repository}", f"--work-tree={root}", "-C", root, *quick)
    if paths := _paths(root):
        listed = "\0".join(paths).encode(errors="surrogateescape")
        # Forced: what is tracked counts even where .gitignore names it.
        git(
            *here,
            "-c",
            "advice.addEmbeddedRepo=false",
            "add",
            "--force",
            "--pathspec-from-file=-",
            "--pathspec-file-nul",
            stdin=listed,
        )
    git(*here, "commit", "--quiet", "--allow-empty", "--no-verify", "--message=check")


def _paths(root: Path) -> list[str]:
    try:
        listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    except CommandFailed:  # no work tree
        return sorted(_walk(root))
    return sorted({path for path in listed if path and os.path.lexists(root / path)})


def _walk(root: Path) -> Iterator[str]:
    for directory, folders, names in os.walk(root):
        if ".git" in folders:
            folders.remove(".git")
        links = [name for name in folders if Path(directory, name).is_symlink()]
        yield from (str(Path(directory, name).relative_to(root)) for name in (*names, *links))


def _git(root: Path, *arguments: str) -> str:
    command = ("git", "-c", "safe.directory=*", "-C", str(root), *arguments)
    return process.run(command, timeout=_TIMEOUT).stdout.decode(errors="surrogateescape")
