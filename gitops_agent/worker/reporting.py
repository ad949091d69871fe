"""Turns what happened into commit statuses. The one place that does; sending them is the outbox's business.

A journal that is lost stops reporting, never reconciling: it says so itself, aloud and once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from gitops_agent.journal import Journal, JournalLost
from gitops_agent.model import CommitStatus, Outcome, Revision, Run, StatusState
from gitops_agent.reconcile import TargetResult
from gitops_agent.report import describe

_STATES = {
    Outcome.SUCCESS: StatusState.SUCCESS,
    Outcome.FAILURE: StatusState.FAILURE,
    Outcome.ERROR: StatusState.ERROR,
    Outcome.SUPERSEDED: StatusState.SKIPPED,
}


class Reporter:
    """Writes the runs of one environment into the journal, and their outcomes into the outbox."""

    def __init__(self, environment: str, journal: Journal, url: str, ring: Callable[[], None], *, statuses: bool) -> None:
        self._environment = environment
        self._journal = journal
        self._url = url.rstrip("/")
        self._ring = ring
        self._statuses = statuses
        self._context = f"gitops/{environment}"

    def last_run_was_clean(self, applied: Revision | None) -> bool:
        """Whether the last run known made `applied` real: then whatever differs now has drifted since."""
        with suppress(JournalLost):
            runs = self._journal.runs(self._environment, limit=1)
            return bool(runs) and runs[0].outcome is Outcome.SUCCESS and runs[0].revision == applied
        return False

    def started(self, run: Run) -> None:
        """A new revision is being tried: pending, unless something was said of it before; overtaken commits get their end."""
        with suppress(JournalLost):
            self._journal.record(run)
            self.overtaken(run.revision)
            if self._journal.last(run.revision.sha, self._context) is None:
                self._queue(run, self._context, StatusState.PENDING, "reconciling")

    def overtaken(self, head: Revision) -> None:
        """No commit stays pending: whatever was not finished before `head` is skipped in its favour. Raises JournalLost."""
        for status in self._journal.pending(self._environment):
            if status.sha != head.sha:
                self._send(CommitStatus(status.sha, status.context, StatusState.SKIPPED, f"superseded by {head.short}", status.url))

    def finished(self, run: Run, results: dict[str, TargetResult]) -> None:
        """One outcome for the environment, one for each target that changed or failed, or of which something was said before."""
        with suppress(JournalLost):
            self._journal.record(run)
            if run.outcome is None or run.outcome is Outcome.SUPERSEDED:
                return
            self._queue(run, self._context, _STATES[run.outcome], run.message)
            for name, result in results.items():
                context = f"{self._context}/{name}"
                if result.changed or result.outcome is not Outcome.SUCCESS or self._journal.last(run.revision.sha, context):
                    self._queue(run, context, _STATES[result.outcome], result.message)

    def _queue(self, run: Run, context: str, state: StatusState, text: str) -> None:
        self._send(CommitStatus(run.revision.sha, context, state, describe(text), f"{self._url}/runs/{run.id}"))

    def _send(self, status: CommitStatus) -> None:
        if self._statuses and self._journal.queue(self._environment, status):
            self._ring()
