"""What previews say in Gitea: the comment on the pull request, and the status of its head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gitops_agent.gitea import Comments, NotFound, Pull, Pulls, Session
from gitops_agent.model import CommitStatus, StatusState
from gitops_agent.preview import comment
from gitops_agent.preview.request import Answer
from gitops_agent.report import shorten

Say = Callable[[CommitStatus], None]
"""Queues a status; never waits and never fails."""
Last = Callable[[str, str], CommitStatus | None]
"""The last status queued of a commit and a context."""

_STALE = {
    "base": "the branch has moved since. It is planned anew in a moment.",
    "live": "the live systems were changed since. It is planned anew in a moment.",
}


class Desk:
    """Of one environment. Used by one thread. Raises what `gitea.Session` raises."""

    def __init__(
        self, environment: str, branch: str, context: str, session: Session, repository: str, say: Say, last: Last
    ) -> None:
        self._environment = environment
        self._branch = branch
        self._context = context
        self._pulls = Pulls(session, repository)
        self._comments = Comments(session, repository)
        self._marker = comment.marker(environment)
        self._say = say
        self._last = last
        self._session = session

    def listed(self) -> list[Pull]:
        return self._pulls.listed(self._branch)

    def find(self, number: int) -> Pull | None:
        try:
            return self._pulls.get(number)
        except NotFound:
            return None

    def began(self, pull: Pull) -> None:
        """Pending, unless something was said of this commit before: then that holds until there is something else."""
        if self._last(pull.head, self._context) is None:
            self._status(pull, pull.head, StatusState.PENDING, "planning")

    def tell(self, pull: Pull, answer: Answer) -> None:
        state = StatusState.FAILURE if answer.failure else StatusState.ERROR if answer.error else StatusState.SUCCESS
        head = answer.head or pull.head
        self._comments.write(pull.number, self._marker, comment.compose(self._environment, self._branch, answer))
        self._status(pull, head, state, comment.summary(answer))
        if head != pull.head:
            self._status(pull, pull.head, StatusState.SKIPPED, f"superseded by {head[:10]}")

    def mark_stale(self, pull: Pull, why: str) -> None:
        body = self._comments.own(pull.number, self._marker)
        if body is not None and "\n> **Stale:**" not in body.partition("\n\n")[2][:20]:
            self._comments.write(pull.number, self._marker, comment.stale(body, _STALE[why]))
        self._status(pull, pull.head, StatusState.PENDING, f"stale: {_STALE[why].partition('.')[0]}")

    def conclude(self, pull: Pull) -> None:
        """Says that nothing more will come, where anything was said."""
        if self._comments.own(pull.number, self._marker) is not None:
            self._comments.write(pull.number, self._marker, comment.over(self._environment, self._branch, pull))

    def close(self) -> None:
        self._session.close()

    def _status(self, pull: Pull, sha: str, state: StatusState, text: str) -> None:
        status = CommitStatus(sha, self._context, state, shorten(text), pull.url)
        last = self._last(sha, self._context)
        if last is not None and last.state is state and last.description != status.description:
            self._say(
                replace(status, state=StatusState.PENDING, description="planned anew")
            )  # or it would be taken for nothing new
        self._say(status)
