"""One run from its first step to its report, whatever happens in between."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable

from gitops_agent import metrics
from gitops_agent.errors import AgentError, InvalidRevision, Superseded
from gitops_agent.model import Outcome, Run
from gitops_agent.reconcile import Progress, Reconciler, SawnOff, Waiting, carry_out
from gitops_agent.worker.reporting import Reporter
from gitops_agent.worker.schedule import Decision

_log = logging.getLogger(__name__)


class Attempt:
    """Carries out one decision of the schedule. `progress` shows it while it runs."""

    def __init__(
        self, environment: str, decision: Decision, reconciler: Reconciler, reporter: Reporter, *, consented: frozenset[str]
    ) -> None:
        self._decision = decision
        self._reconciler = reconciler
        self._reporter = reporter
        self._consented = consented
        # Sorts by time, and is short enough to be read aloud.
        run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
        drift = not decision.whole
        self.progress = Progress(Run(run_id, environment, decision.trigger, decision.revision, time.time(), drift=drift))
        self.healed = False
        """Whether it made changes although the revision was applied already."""
        self.quiet = False
        """Whether it was a look that found everything in order: there are thousands of them, and they leave no trace."""

    def run(self, *, stop: Callable[[], None], pause: Callable[[float], None], fetched: bool) -> Exception | None:
        """Never raises: what ended the run comes back, after it was reported. None is success."""
        decision = self._decision
        if decision.whole:
            self._reporter.started(self.progress.run)
        error: Exception | None = None
        try:
            self._reconcile(stop, pause, fetched=fetched)
        except AgentError as caught:
            error = caught
        except Exception as caught:  # noqa: BLE001 -- whatever it is, the commit gets its outcome
            _log.exception("a bug of ours", extra={"environment": self.progress.run.environment, "run": self.progress.run.id})
            error = caught
        self._end(error)
        return error

    def _reconcile(self, stop: Callable[[], None], pause: Callable[[float], None], *, fetched: bool) -> None:
        reconciler, decision = self._reconciler, self._decision
        prepared = reconciler.prepare(decision.revision, self.progress, whole=decision.whole, consented=self._consented, stop=stop)
        try:
            carry_out(
                prepared,
                reconciler.source,
                self.progress,
                Waiting(stop, pause),
                secrets=reconciler.known_secrets(),
                settle=decision.trigger == "retry",
                fetched=fetched,
            )
        except SawnOff:
            reconciler.source.mark_rejected(decision.revision)
            raise
        reconciler.succeeded(prepared)

    def _end(self, error: Exception | None) -> None:
        run = self.progress.end(*_outcome(error, self.progress, whole=self._decision.whole))
        changed = any(result.changed for result in self.progress.results.values())
        self.healed = self.progress.touched and not self._decision.whole
        metrics.run_ended(run, self.progress.results)
        self.quiet = not (
            changed or error or self._decision.whole or any(result.drift for result in self.progress.results.values())
        )
        _log.log(
            logging.DEBUG if self.quiet else logging.INFO,
            "run ended",
            extra={
                "environment": run.environment,
                "run": run.id,
                "trigger": run.trigger,
                "revision": str(run.revision),
                "outcome": str(run.outcome),
                "seconds": round(run.ended - run.started, 3),
                "said": run.message,
            },
        )
        if not self.quiet:
            self._reporter.finished(run, self.progress.results)


def _outcome(error: Exception | None, progress: Progress, *, whole: bool) -> tuple[Outcome, str]:
    if error is None:
        parts = [f"{name}: {result.message}" for name, result in progress.results.items() if result.changed or result.drift]
        verb = "applied" if whole else "healed"
        return Outcome.SUCCESS, f"{verb}; {', '.join(parts)}" if parts else "no changes"
    if isinstance(error, Superseded):
        return Outcome.SUPERSEDED, str(error)
    text = str(error) if isinstance(error, AgentError) else f"internal error: {type(error).__name__}"
    if isinstance(error, InvalidRevision) and progress.touched:
        text = f"{text} (found after earlier targets were applied)"
    return (Outcome.FAILURE if progress.touched else Outcome.ERROR), text
