"""Where reports go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gitops_agent.gitea import Gitea
from gitops_agent.model import CommitStatus


class Destination(Protocol):
    """One repository's place for reports. Used by one thread. Both calls raise Unavailable when it should be tried again,
    ApplyFailed when this very report is not taken, `gitea.CommitGone` when there is nothing to report on any more."""

    def send(self, status: CommitStatus) -> None:
        """After an exception the report may have arrived all the same."""

    def knows(self, status: CommitStatus) -> bool:
        """Whether the newest report of that commit and context is this one."""


class GiteaStatuses:
    """Commit statuses: `gitops/<environment>` and `gitops/<environment>/<target>`."""

    def __init__(self, gitea: Gitea) -> None:
        self._gitea = gitea

    def send(self, status: CommitStatus) -> None:
        self._gitea.create_status(status)

    def knows(self, status: CommitStatus) -> bool:
        of_context = [known for known in self._gitea.statuses(status.sha) if known.context == status.context]
        if not of_context:
            return False
        newest = of_context[-1]
        return (newest.state, newest.description) == (status.state, status.description)


class Notebook(Protocol):
    """What `Source` offers: replaces the note of a commit under refs/notes/gitops and pushes it."""

    def write_note(self, sha: str, text: str) -> None: ...


class GitNotes:
    """One git note a commit, with a line for the newest status of each context. `git log --notes=gitops` shows them."""

    def __init__(self, notebook: Notebook, said: Callable[[str], Sequence[CommitStatus]]) -> None:
        """`said` gives all statuses of a commit, oldest first (`Journal.statuses`)."""
        self._notebook = notebook
        self._said = said

    def send(self, status: CommitStatus) -> None:
        newest = {known.context: known for known in (status, *self._said(status.sha))}
        self._notebook.write_note(status.sha, "".join(f"{_line(newest[context])}\n" for context in sorted(newest)))

    def knows(self, status: CommitStatus) -> bool:  # noqa: ARG002 -- writing the same note again changes nothing
        return False


def _line(status: CommitStatus) -> str:
    link = f" ({status.url})" if status.url else ""
    return f"{status.context}: {status.state}: {status.description}{link}"
