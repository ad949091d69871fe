"""Where reports go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gitops_agent.errors import ApplyFailed
from gitops_agent.gitea import CommitGone, Gitea
from gitops_agent.model import CommitStatus


class Destination(Protocol):
    """One repository's place for reports. Used by one thread. Both calls raise Unavailable when it should be tried again,
    ApplyFailed when this very report is not taken, `gitea.CommitGone` when there is nothing to report on any more."""

    def send(self, status: CommitStatus) -> None:
        """After an exception the report may have arrived all the same."""

    def knows(self, status: CommitStatus) -> bool:
        """Whether the newest report of that commit and context is this one."""

    def said(self, sha: str) -> Sequence[CommitStatus]:
        """All reports of a commit, oldest first, as far as they have to be finished."""


class GiteaStatuses:
    """Commit statuses: `gitops/<environment>` and `gitops/<environment>/<target>`."""

    def __init__(self, gitea: Gitea) -> None:
        self._gitea = gitea

    def send(self, status: CommitStatus) -> None:
        self._gitea.create_status(status)

    def said(self, sha: str) -> Sequence[CommitStatus]:
        return self._gitea.statuses(sha)

    def knows(self, status: CommitStatus) -> bool:
        of_context = [known for known in self._gitea.statuses(status.sha) if known.context == status.context]
        if not of_context:
            return False
        newest = of_context[-1]
        return (newest.state, newest.description) == (status.state, status.description)


class Notebook(Protocol):
    """What `Source` offers: puts a line of the form `context: words` into the note of a commit in the place of its context's last
    one, and pushes it. Raises ApplyFailed when the commit is gone."""

    def write_note(self, sha: str, text: str) -> None: ...


class GitNotes:
    """One git note a commit, with a line for the newest status of each context. `git log --notes=gitops` shows them."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook

    def send(self, status: CommitStatus) -> None:
        link = f" ({status.url})" if status.url else ""
        try:
            self._notebook.write_note(status.sha, f"{status.context}: {status.state}: {status.description}{link}\n")
        except ApplyFailed as error:
            raise CommitGone(str(error)) from None

    def knows(self, status: CommitStatus) -> bool:  # noqa: ARG002 -- writing the same line again changes nothing
        return False

    def said(self, sha: str) -> Sequence[CommitStatus]:  # noqa: ARG002 -- nobody waits for a note
        return ()
