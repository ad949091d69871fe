"""Outcomes as git notes under refs/notes/gitops, for a source that has no Gitea: `git log --notes=gitops` shows them.

Several environments, and agents, write to the notes of one repository. A push that is not a fast-forward is refused by git, which
is the compare-and-set here: what the others wrote is fetched, and our lines are put into it again.
"""

from __future__ import annotations

from pathlib import Path

from gitops_agent.errors import CommandFailed, Unavailable
from gitops_agent.source.command import Git, reason

_REF = "refs/notes/gitops"
_LOST = ("[rejected]", "[remote rejected]", "cannot lock ref", "failed to update ref")
_ATTEMPTS = 5


class Notes:
    """The notes of one repository, through its mirror. One thread at a time."""

    def __init__(self, git: Git, repository: Path) -> None:
        self._git = git
        self._repository = repository

    def write(self, sha: str, text: str) -> None:
        """Puts lines of the form `context: words` into the note of a commit; lines of other contexts stay.

        Raises Unavailable when the repository cannot be reached, does not take it, or others are faster five times in a row.
        """
        url = self._git.remote.url
        (self._repository / f"{_REF}.lock").unlink(missing_ok=True)  # of a git that was killed: nobody else writes here
        for _ in range(_ATTEMPTS):
            try:
                self._put(sha, text)
                self._git("push", "--quiet", url, f"{_REF}:{_REF}", at=self._repository)
            except CommandFailed as error:
                if not any(lost in error.output for lost in _LOST):
                    raise Unavailable(f"cannot write a note to {url}: {reason(error, self._git.remote)}") from None
            else:
                return
            self._fetch()
        raise Unavailable(f"cannot write a note to {url}: others wrote in between {_ATTEMPTS} times")

    def _put(self, sha: str, text: str) -> None:
        present = self._git("notes", f"--ref={_REF}", "show", sha, at=self._repository, accept=(0, 1)).text
        note = _merged(present, text)
        if note != present:
            self._git("notes", f"--ref={_REF}", "add", "--force", "--file=-", sha, at=self._repository, stdin=note.encode())

    def _fetch(self) -> None:
        url = self._git.remote.url
        try:
            # A pattern: no notes yet is not an error then.
            self._git("fetch", "--quiet", "--force", "--no-tags", url, f"+{_REF}*:{_REF}*", at=self._repository)
        except CommandFailed as error:
            raise Unavailable(f"cannot read the notes of {url}: {reason(error, self._git.remote)}") from None


def _merged(present: str, text: str) -> str:
    lines = {line.partition(": ")[0]: line for line in (*present.splitlines(), *text.splitlines()) if line}
    return "".join(f"{lines[context]}\n" for context in sorted(lines))
