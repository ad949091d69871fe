"""What a pull request would make of the branch: the merge of two pinned commits, made in a copy of its own.

What strangers push never gets into the mirror that runs read. The copy may be thrown away at any time. Nothing is checked out, so
no hook, filter or attribute of theirs does anything; renames are not looked for, as that reads every file there is.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from gitops_agent.errors import CommandFailed, InvalidRevision, Unavailable
from gitops_agent.model import Files, Revision
from gitops_agent.source.command import Git, reason
from gitops_agent.source.objects import Damaged, Objects
from gitops_agent.source.remote import Remote
from gitops_agent.source.tree import Limits, TreeReader

_FETCH = ("fetch", "--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
_REFS = "refs/previews/"
_BASE = f"{_REFS}base"
_NAMED = 5
_ALWAYS_THE_SAME = {"GIT_AUTHOR_DATE": "@0 +0000", "GIT_COMMITTER_DATE": "@0 +0000"}
"""The same two commits give the same merge."""
_SETTINGS = {
    "gc.autoPackLimit": "10",
    "gc.autoDetach": "false",
    "gc.pruneExpire": "now",
    "core.bigFileThreshold": "1m",  # what is larger is copied, not compared: a few KiB sent may stand for a GiB of zeros
    "pack.windowMemory": "32m",
    "pack.threads": "1",
}
_TIDY = (*(part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")), "gc", "--auto", "--quiet")


class Merges:
    """`directory` is STATE/<environment>/previews. One process at a time."""

    def __init__(self, remote: Remote, directory: Path) -> None:
        self._remote = remote
        self._git = Git(remote, directory)
        self._path = directory.absolute() / "mirror.git"
        self._objects = Objects(self._path, self._git.environment, remote.timeout)
        self._trees = TreeReader(Limits(remote.max_file_bytes, remote.max_tree_bytes))

    def fetch(self, number: int) -> tuple[Revision, str]:
        """The branch and the request's head as they are now: Gitea keeps `refs/pull/N/head`, also of forks. Raises Unavailable."""
        self._clean()
        wanted = (f"+{self._remote.ref}:{_BASE}", f"+refs/pull/{number}/head:{_REFS}{number}")
        try:
            if not self._path.exists():
                self._git("init", "--quiet", "--bare", "--template=", self._path)
            # One file for what comes: the limit on the size of a file is then one on the whole.
            self._git("-c", "fetch.unpackLimit=1", *_FETCH, self._remote.url, *wanted, at=self._path)
        except CommandFailed as error:
            self._blame(error, number)
            raise Unavailable(f"cannot fetch pull request {number}: {reason(error, self._remote)}") from None
        return Revision(self._remote.branch, self._sha(_BASE)), self._sha(f"{_REFS}{number}")

    def merge(self, base: Revision, head: str) -> Revision:
        """The commit that merging would make, were it done now. Raises InvalidRevision where it cannot be merged, or where the head
        holds what no config repo may: it is looked at first, as merging reads files whole."""
        self.read(Revision(base.branch, head))
        if self._git("merge-base", base.sha, head, at=self._path, accept=(0, 1)).status:
            raise InvalidRevision(f"has no history in common with {base.branch}")
        try:
            merged = self._git(
                "-c", "merge.renames=false", "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", base.sha, head,
                at=self._path, accept=(0, 1),
            )  # fmt: skip
        except CommandFailed as error:
            raise Unavailable(f"cannot merge (git 2.38 or newer is needed): {reason(error, self._remote)}") from None
        tree, *conflicts = merged.text.rstrip("\0").split("\0")
        if merged.status:
            names = dict.fromkeys(name for name in conflicts if name)
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            raise InvalidRevision(f"conflicts with {base.branch} in {', '.join([*names][:_NAMED])}{more}")
        made = self._git(
            "commit-tree", tree, "-p", base.sha, "-p", head, "-m", "Preview", at=self._path, env=_ALWAYS_THE_SAME
        )  # fmt: skip
        return Revision(base.branch, made.text.strip())

    def read(self, revision: Revision) -> Files:
        """As `Source.read`."""
        try:
            with self._objects.open() as find:
                return self._trees.read(find, revision.sha)
        except (KeyError, Damaged) as error:
            raise Unavailable(f"{revision} cannot be read: {error}") from None

    def numbers(self) -> set[int]:
        """The pull requests that it has something of. Raises Unavailable."""
        if not self._path.exists():
            return set()
        try:
            names = self._git("for-each-ref", "--format=%(refname)", _REFS, at=self._path).text.split()
        except CommandFailed as error:
            raise Unavailable(f"the copy for previews cannot be read: {reason(error, self._remote)}") from None
        return {int(number) for name in names if (number := name.removeprefix(_REFS)).isdigit()}

    def forget(self, number: int) -> None:
        """Drops what it has of a pull request. What cannot be dropped now is dropped later."""
        with suppress(CommandFailed):
            if self._path.exists():
                self._git("update-ref", "-d", f"{_REFS}{number}", at=self._path)
                self._git(*_TIDY, at=self._path)

    def close(self) -> None:
        self._objects.close()

    def _sha(self, ref: str) -> str:
        return self._git("rev-parse", "--verify", f"{ref}^{{commit}}", at=self._path).text.strip()

    def _clean(self) -> None:
        """Takes away what a git left that was killed: nobody else is at work here."""
        for left in (*self._path.rglob("*.lock"), *self._path.glob("objects/pack/tmp_*")):
            with suppress(OSError):
                left.unlink()

    def _blame(self, error: CommandFailed, number: int) -> None:
        """Where the remote is well, the copy is not, or what was sent is too much for it: then it begins anew."""
        if error.status is None:
            return
        with suppress(CommandFailed):
            seen = self._git("ls-remote", self._remote.url, self._remote.ref, f"refs/pull/{number}/head").text.splitlines()
            if len(seen) > 1:
                shutil.rmtree(self._path, ignore_errors=True)
