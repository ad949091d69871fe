"""Turns what happened into commit statuses. The one place that does; sending them is the outbox's business.

A journal that is lost stops reporting, never reconciling: it says so itself, aloud and once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from gitops_agent.journal import Journal, JournalLost
from gitops_agent.model import CommitStatus, Outcome, Revision, Run, StatusState
from gitops_agent.reconcile import TargetResult
from gitops_agent.report import Heralds, describe

_STATES = {
    Outcome.SUCCESS: StatusState.SUCCESS,
    Outcome.FAILURE: StatusState.FAILURE,
    Outcome.ERROR: StatusState.ERROR,
    Outcome.AWAITING: StatusState.PENDING,
}


class Reporter:
    """Writes the runs of one environment into the journal, and with them what is to be said of their commits."""

    def __init__(
        self, environment: str, journal: Journal, url: str, ring: Callable[[], None], heralds: Heralds, *, statuses: bool
    ) -> None:
        """`url` is where run pages are reached, `ring` wakes the outbox; without `statuses` the journal alone is told."""
        self._environment = environment
        self._journal = journal
        self._url = url.rstrip("/")
        self._ring = ring
        self._heralds = heralds
        self._statuses = statuses
        self._context = f"gitops/{environment}"

    def last_run_was_clean(self, applied: Revision | None) -> bool:
        """Whether the last run known made `applied` real: then whatever differs now has drifted since."""
        with suppress(JournalLost):
            runs = self._journal.runs(self._environment, limit=1)
            return bool(runs) and runs[0].outcome is Outcome.SUCCESS and runs[0].revision == applied
        return False

    def started(self, run: Run) -> None:
        """A revision is being tried: it is pending, where nothing was said of it before, and no other commit stays so: what was not
        finished before is skipped in its favour."""
        with suppress(JournalLost):
            overtaken = [
                CommitStatus(status.sha, status.context, StatusState.SKIPPED, f"superseded by {run.revision.short}", status.url)
                for status in self._journal.pending(self._environment)
                if status.sha != run.revision.sha
            ]
            if self._journal.last(run.revision.sha, self._context) is None:
                overtaken.append(self._status(run, self._context, StatusState.PENDING, "reconciling"))
            self._record(run, overtaken)

    def waiting(self, run: Run, text: str) -> None:
        """What a pending commit waits for at present."""
        with suppress(JournalLost):
            self._record(run, [self._status(run, self._context, StatusState.PENDING, text)])

    def say(self, status: CommitStatus) -> None:
        """What somebody else than the run itself has to say of a commit, from any thread."""
        with suppress(JournalLost):
            short = replace(status, description=describe(status.description))
            if self._statuses and self._journal.queue(self._environment, short):
                self._ring()

    def failed(self, run: Run, text: str) -> None:
        """The commit is red, while the run goes on with bringing back what was applied before."""
        with suppress(JournalLost):
            self._record(run, [self._status(run, self._context, StatusState.FAILURE, text)])

    def finished(self, run: Run, results: Mapping[str, TargetResult]) -> None:
        """One outcome for the environment, one for each target that changed or failed, or of which something was said before. A
        superseded run says nothing: its commit is finished by its successor's start, or by the next run of its own. Nor does drift
        that awaits approval: the commit was applied."""
        silent = run.outcome not in _STATES or (run.drift and run.outcome is Outcome.AWAITING)
        with suppress(JournalLost):
            self._record(run, [] if silent else self._outcomes(run, results))

    def tell(self, run: Run) -> None:
        """Those who do not look at commits hear of changes; also of the end of a run that says nothing on its commit."""
        self._heralds.tell(run, f"{self._url}/runs/{run.id}")

    def close(self) -> None:
        self._heralds.close()

    def _outcomes(self, run: Run, results: Mapping[str, TargetResult]) -> list[CommitStatus]:
        said = {status.context for status in self._journal.statuses(run.revision.sha)}
        statuses = [self._status(run, self._context, _STATES[run.outcome or Outcome.ERROR], run.message)]
        for name, result in results.items():
            context = f"{self._context}/{name}"
            if result.changed or result.outcome is not Outcome.SUCCESS or context in said:
                statuses.append(self._status(run, context, _STATES[result.outcome], result.message))
        return statuses

    def _status(self, run: Run, context: str, state: StatusState, text: str) -> CommitStatus:
        return CommitStatus(run.revision.sha, context, state, describe(text), f"{self._url}/runs/{run.id}")

    def _record(self, run: Run, reports: Sequence[CommitStatus]) -> None:
        if self._journal.record(run, reports if self._statuses else []):
            self._ring()
