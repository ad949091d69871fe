"""What became of revisions, as refs in the mirror: the last that was applied, those that are never tried again, and those
whose tree was validated.

Refs, because they keep their commits from being collected after a force-push, and because git writes them whole or not at all.
"""

from __future__ import annotations

import re
from pathlib import Path

from gitops_agent.source.command import Git

_MOST = 100
"""Of rejected and of good ones the newest by commit date are kept; an older one that came back would be tried once more."""
_LINE = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64}) (refs/\S+)")


class Marks:
    """Names of the refs of one environment, and their writing."""

    def __init__(self, git: Git, environment: str) -> None:
        self._git = git
        self._prefix = f"refs/gitops/{environment}/"
        self.head = self._prefix + "head"
        """Where the branch was when it was last fetched."""
        self.applied = self._prefix + "applied"
        self.restoring = self._prefix + "restoring"
        """The revision that did not work out, while the applied one is being brought back."""
        self.unrestored = self._prefix + "unrestored"
        """The same, where that did not work out either."""

    def good(self, tree: str = "") -> str:
        """Where the commit is whose tree was validated and found good."""
        return f"{self._prefix}good/{tree}"

    def rejected(self, sha: str = "") -> str:
        return f"{self._prefix}rejected/{sha}"

    def apply(self, repository: Path, sha: str) -> None:
        """What was applied is no longer rejected: an operator consented to it meanwhile. There is nothing to bring back any more.
        Raises CommandFailed."""
        over = (f"delete {ref}" for ref in (self.rejected(sha), self.restoring, self.unrestored))
        self._update(repository, f"update {self.applied} {sha}", *over)

    def restore(self, repository: Path, sha: str) -> None:
        """Rejects a revision, and says that the applied one is being brought back: both or neither. Raises CommandFailed."""
        self.reject(repository, sha, f"update {self.restoring} {sha}")

    def restored(self, repository: Path, _sha: str) -> None:
        """Raises CommandFailed."""
        self._update(repository, f"delete {self.restoring}", f"delete {self.unrestored}")

    def give_up(self, repository: Path, sha: str) -> None:
        """Raises CommandFailed."""
        self._update(repository, f"delete {self.restoring}", f"update {self.unrestored} {sha}")

    def reject(self, repository: Path, sha: str, *more: str) -> None:
        """`more` are commands of the same transaction. Raises CommandFailed."""
        self._add(repository, self.rejected(), sha, sha, *more)

    def find_good(self, repository: Path, sha: str, tree: str) -> None:
        """Raises CommandFailed."""
        self._add(repository, self.good(), tree, sha)

    def carry_over(self, old: Path, new: Path) -> None:
        """Takes to a fresh clone what the old one knew, as far as the branch still has those commits.

        Reads the files: git may not be able to, which is why there is a fresh clone.
        """
        for ref, sha in _refs(old, self._prefix).items():
            if ref != self.head:
                self._git("update-ref", ref, sha, at=new, accept=(0, 128))

    def _add(self, repository: Path, folder: str, name: str, sha: str, *more: str) -> None:
        listed = self._git("for-each-ref", "--sort=-committerdate", "--format=%(refname)", folder, at=repository)
        others = [ref for ref in listed.text.split() if ref != f"{folder}{name}"]
        old = others[_MOST - 1 :]
        self._update(repository, f"update {folder}{name} {sha}", *(f"delete {ref}" for ref in old), *more)

    def _update(self, repository: Path, *commands: str) -> None:
        self._git("update-ref", "--stdin", at=repository, stdin="".join(f"{command}\n" for command in commands).encode())


def _refs(repository: Path, prefix: str) -> dict[str, str]:
    loose = [file for file in (repository / prefix).rglob("*") if file.is_file()]
    lines = [f"{_text(file).strip()} {file.relative_to(repository)}" for file in loose]
    packed = [line for line in _text(repository / "packed-refs").splitlines() if f" {prefix}" in line]
    return {match[2]: match[1] for line in (*packed, *lines) if (match := _LINE.fullmatch(line))}


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
