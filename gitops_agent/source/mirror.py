"""The bare copy of one branch, kept whole: stale locks are removed, and what cannot be mended is replaced by a fresh clone.

It has the branch's full history and nothing else. A shallow copy would save a large repository's first fetch once, and pay with
servers that compute, a shallow file that goes stale and force-pushes that cannot be told from gaps; a config repo is small.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from pathlib import Path

from gitops_agent.errors import CommandFailed, Unavailable
from gitops_agent.source.command import Git, reason
from gitops_agent.source.marks import Marks
from gitops_agent.source.objects import Objects

_log = logging.getLogger(__name__)
_FETCH = ("fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
_NAMED = 5
"""Branches that a message names when the one that is followed has gone."""
_TIDY = {
    "gc.auto": "500",  # loose objects: a commit brings four or five, so this is about a hundred commits
    "gc.autoPackLimit": "20",
    "gc.autoDetach": "false",
    "gc.pruneExpire": "1.hour.ago",  # what a note that is being written has made so far is younger
}


class Mirror:
    """STATE/<environment>/mirror.git. One thread at a time: the worker's, which holds the environment's lock."""

    def __init__(self, git: Git, directory: Path, environment: str) -> None:
        self._git = git
        self._remote = git.remote
        self.path = directory.absolute() / "mirror.git"
        self._old = self.path.with_suffix(".old")
        self.marks = Marks(git, environment)
        self.objects = Objects(self.path, git.environment, git.remote.timeout)

    def update(self) -> None:
        """Brings `marks.head` to where the branch is now. Raises Unavailable."""
        if not self.path.exists():
            self.replace()
            return
        try:
            self._fetch(self.path)
        except CommandFailed as error:
            self._blame_remote(error)
        else:
            return
        self.unlock()
        try:
            self._fetch(self.path)
        except CommandFailed as error:
            _log.warning("the mirror is replaced by a fresh clone", extra={"why": reason(error, self._remote)})
            self.replace()

    def replace(self) -> None:
        """A fresh clone takes the mirror's place once it is complete, with what the old one knew. Raises Unavailable."""
        fresh = self.path.with_suffix(".new")
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            self._git("init", "--quiet", "--bare", "--template=", fresh)
            self._fetch(fresh)
            # Killed between the two renames: there is no mirror then, and what it knew is in `_old`.
            self.marks.carry_over(self.path if self.path.exists() else self._old, fresh)
            with self.objects.closed():
                if self.path.exists():
                    shutil.rmtree(self._old, ignore_errors=True)
                    self.path.rename(self._old)
                fresh.rename(self.path)
            shutil.rmtree(self._old, ignore_errors=True)
        except CommandFailed as error:
            self._blame_remote(error)
            raise Unavailable(f"cannot clone {self._remote.url}: {reason(error, self._remote)}") from None
        except OSError as error:
            raise Unavailable(f"cannot keep a copy of {self._remote.url} in {self.path.parent}: {error.strerror}") from None

    def unlock(self) -> None:
        """Removes lock files: whoever held them was killed. The environment's lock says that nobody else is at work here, but for
        the thread that writes notes."""
        for lock in self.path.rglob("*.lock"):
            if "notes" not in lock.parts:
                _log.warning("a stale lock file is removed", extra={"file": str(lock)})
                with suppress(OSError):
                    lock.unlink()

    def tidy(self) -> None:
        """Packs what has gathered, when there is enough of it. For quiet moments. Raises CommandFailed."""
        settings = [part for name, value in _TIDY.items() for part in ("-c", f"{name}={value}")]
        self._git(*settings, "gc", "--auto", "--quiet", at=self.path)

    def reachable(self, timeout: float) -> bool:
        try:
            self._git("ls-remote", "--exit-code", self._remote.url, self._remote.ref, timeout=timeout)
        except (CommandFailed, Unavailable):
            return False
        return True

    def _fetch(self, into: Path) -> None:
        self._git(*_FETCH, self._remote.url, f"+{self._remote.ref}:{self.marks.head}", at=into)

    def _blame_remote(self, error: CommandFailed) -> None:
        """Raises Unavailable unless the remote is well and has the branch; then it was the mirror's fault.

        Asking is surer than reading git's words, of which there are many.
        """
        cannot = f"cannot fetch {self._remote.branch} from {self._remote.url}"
        if error.status is None:
            raise Unavailable(f"{cannot}: {reason(error, self._remote)}")
        try:
            lines = self._git("ls-remote", "--symref", self._remote.url, "HEAD", "refs/heads/*").text.splitlines()
        except CommandFailed as too:
            raise Unavailable(f"{cannot}: {reason(too, self._remote)}") from None
        fields = [line.split("\t") for line in lines]
        branches = [name.removeprefix("refs/heads/") for _, name in fields if name.startswith("refs/heads/")]
        if self._remote.branch in branches:
            return
        default = next((value.removeprefix("ref: refs/heads/") for value, _ in fields if value.startswith("ref: ")), "")
        branches.sort(key=lambda name: name != default)
        there = [f"{name} (its default)" if name == default else name for name in branches[:_NAMED]]
        more = f" and {len(branches) - _NAMED} more" if len(branches) > _NAMED else ""
        if not there:  # a proxy's login page looks like an empty repository to git
            raise Unavailable(f"{self._remote.url} shows no branch at all: it is empty, or no git repository")
        raise Unavailable(f"there is no branch {self._remote.branch} in {self._remote.url}; there are {', '.join(there)}{more}")
