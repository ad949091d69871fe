"""The commits that take a branch back, made in a throw-away copy of it.

A branch goes back by new commits, never by losing old ones: the newest is reverted first, then the one before, so each revert
leaves exactly the tree that was there before its commit. That is what `git revert` makes of them too, but it needs no work tree,
and nothing of the repository is ever checked out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_agent.errors import ApplyFailed, CommandFailed, Refused, Unavailable
from gitops_agent.model import Revision
from gitops_agent.source.command import Git, reason
from gitops_agent.source.remote import Remote

_FIELDS = "%H%x00%T%x00%P%x00%s%x00%an"
_REMOTE = re.compile(r"remote:\s*(\.|error:)?")
"""Before the words of a server's hook."""
_MOST = 200
"""Commits that are reverted at once; whoever wants more names another branch."""


class Protected(ApplyFailed):
    """The server does not let this user push to the branch."""


@dataclass(frozen=True)
class Commit:
    """`tree` is what it holds, `parents` what it came after; the first is where the branch was."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    subject: str
    author: str


@dataclass(frozen=True)
class Person:
    """Who wants it."""

    name: str
    email: str

    @classmethod
    def parse(cls, text: str) -> Person:
        """`Ann <ann@example.org>`. Raises Refused."""
        match = re.fullmatch(r"\s*([^<>\n]+?)\s*<([^<>\s]+)>\s*", text)
        if match is None:
            raise Refused(f"{text!r} is nobody: write it as «Ann <ann@example.org>»")
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


class Reverts:
    """One branch, as it is now, in `directory`, which is thrown away by whoever made it. Every call raises Unavailable when the
    repository cannot be reached."""

    def __init__(self, remote: Remote, directory: Path) -> None:
        self._remote = remote
        self._git = Git(remote, directory)
        self._copy = directory / "copy.git"
        try:
            self._git(
                "clone", "--quiet", "--bare", "--single-branch", "--branch", remote.branch, "--template=", remote.url, self._copy
            )
        except CommandFailed as error:
            raise Unavailable(f"cannot clone {remote.branch} of {remote.url}: {reason(error, remote)}") from None
        self.head = self._commit("HEAD")

    def revision(self, commit: Commit) -> Revision:
        return Revision(self._remote.branch, commit.sha, subject=commit.subject, author=commit.author)

    def find(self, name: str) -> Commit:
        """A commit by its sha, the beginning of it, or a name such as `HEAD~2`. Raises Refused."""
        try:
            sha = self._git(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", at=self._copy
            ).text.strip()
        except CommandFailed:
            raise Refused(f"{name!r} is no commit of {self._remote.branch}") from None
        return self._commit(sha)

    def since(self, back_to: Commit) -> list[Commit]:
        """What the branch has got since, the newest first; of merges the merge itself. Raises Refused where the branch never was at
        that commit."""
        arguments = ("log", "-z", f"--format={_FIELDS}", "--first-parent", f"--max-count={_MOST + 1}")
        listed = self._git(*arguments, f"{back_to.sha}..{self.head.sha}", at=self._copy).text
        fields = listed.rstrip("\0").split("\0") if listed else []
        commits = [_parsed(fields[at : at + 5]) for at in range(0, len(fields), 5)]
        if len(commits) > _MOST:
            raise Refused(f"{self._remote.branch} has got more than {_MOST} commits since {back_to.sha[:10]}")
        if commits and commits[-1].parents[:1] != (back_to.sha,):
            raise Refused(f"{self._remote.branch} never was at {back_to.sha[:10]}: it came with a merge, or is no ancestor")
        return commits

    def write(self, commits: Sequence[Commit], person: Person, why: str, signing_key: Path | None = None) -> str:
        """Reverts the commits of `since`; the sha of the last revert. `signing_key` is an SSH key. Raises Refused when it does not
        sign."""
        options = ["-c", "gpg.format=ssh", "-c", f"user.signingKey={signing_key.absolute()}"] if signing_key else []
        sign = ["-S"] if signing_key else []
        who = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", person.name), ("EMAIL", person.email))
        }
        above = self.head.sha
        for commit in commits:
            before = self._commit(commit.parents[0])
            try:
                made = self._git(
                    *options, "commit-tree", *sign, "-p", above, "-F", "-", before.tree,
                    at=self._copy, stdin=_message(commit, commits[-1].parents[0], person, why).encode(), env=who,
                )  # fmt: skip
            except CommandFailed as error:
                raise Refused(f"the reverts cannot be written: {reason(error, self._remote)}") from None
            above = made.text.strip()
        return above

    def push(self, sha: str, branch: str) -> None:
        """Raises Protected where only others may push to the branch, Refused where somebody else has pushed meanwhile."""
        try:
            self._git("push", "--quiet", self._remote.url, f"{sha}:refs/heads/{branch}", at=self._copy)
        except CommandFailed as error:
            if "[rejected]" in error.output:
                raise Refused(f"somebody pushed to {branch} meanwhile: look at it again") from None
            if "[remote rejected]" in error.output:
                said = [_REMOTE.sub("", line) for line in error.output.splitlines() if _REMOTE.match(line)]
                why = next((line.strip() for line in said if line.strip() and "Process" not in line), "it is protected")
                raise Protected(f"{branch} does not take the push: {why}") from None
            raise Unavailable(f"cannot push to {self._remote.url}: {reason(error, self._remote)}") from None

    def _commit(self, name: str) -> Commit:
        return _parsed(self._git("log", "-1", f"--format={_FIELDS}", name, "--", at=self._copy).text.rstrip("\n").split("\0"))


def _parsed(fields: Sequence[str]) -> Commit:
    sha, tree, parents, subject, author = fields
    return Commit(sha, tree, tuple(parents.split()), subject, author)


def _message(commit: Commit, back_to: str, person: Person, why: str) -> str:
    """As git writes it, and who wants it and why."""
    reversing = f", reversing\nchanges made to {commit.parents[0]}" if len(commit.parents) > 1 else ""
    reasons = f": {why}" if why else ""
    return (
        f'Revert "{commit.subject}"\n\nThis reverts commit {commit.sha}{reversing}.\n\n'
        f"Rolled back to {back_to[:10]} by {person}{reasons}\n"
    )
