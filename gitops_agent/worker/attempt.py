"""One run from its first step to its report, whatever happens in between."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from gitops_agent import metrics
from gitops_agent.errors import AgentError, AwaitingApproval, InvalidRevision, Superseded
from gitops_agent.gate import Checking, Gate, Patience
from gitops_agent.model import Outcome, Run
from gitops_agent.plan import Plan
from gitops_agent.reconcile import Prepared, Progress, Reconciler, SawnOff, Waiting, carry_out, refuse
from gitops_agent.worker.reporting import Reporter
from gitops_agent.worker.restoring import Restoration
from gitops_agent.worker.schedule import RESTORE, Decision
from gitops_agent.worker.wishes import Wishes

_log = logging.getLogger(__name__)
_NOT_THE_FIRST = ("retry", "start")
"""Triggers of runs before which another attempt at the revision may have got as far as waiting for health."""
_STALE = 2.0
"""Seconds at the gate after which the systems are looked at again: what was planned may have changed meanwhile."""


class _Skipped(Exception):
    """Ends the wait for what has to be green."""


class Attempt:
    """Carries out one decision of the schedule. `progress` shows it while it runs."""

    def __init__(
        self,
        environment: str,
        decision: Decision,
        reconciler: Reconciler,
        reporter: Reporter,
        gate: Gate,
        wishes: Wishes,
        restoration: Restoration,
    ) -> None:
        self._decision = decision
        self._reconciler = reconciler
        self._reporter = reporter
        self._gate = gate
        self._wishes = wishes
        self._restoration = restoration
        self._consented = wishes.consented
        self._skipped = False
        # Sorts by time, and is short enough to be read aloud.
        run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
        drift = not decision.whole
        revision = (restoration.cut_short if decision.trigger == RESTORE else None) or decision.revision
        self.progress = Progress(Run(run_id, environment, decision.trigger, revision, time.time(), drift=drift))
        self._said = ""
        self.healed = False
        """Whether it made changes although the revision was applied already."""
        self.quiet = False
        """Whether it was a look that found everything in order: there are thousands of them, and they leave no trace."""

    def run(self, *, stop: Callable[[], None], pause: Callable[[float], None], fetched: bool) -> Exception | None:
        """Never raises: what ended the run comes back, after it was reported. None is success."""
        decision = self._decision
        if decision.whole:
            self._reporter.started(self.progress.run)
        error: Exception | None
        if decision.trigger == RESTORE:
            error = self._restoration.go_on(decision.revision, self.progress, stop, pause)
        else:
            error = self._try(stop, pause, fetched=fetched)
            if decision.whole:
                error = self._restoration.after(error, self.progress, stop, pause, self._say_failed)
        self._end(error)
        self._restoration.concluded()
        return error

    def _try(self, stop: Callable[[], None], pause: Callable[[float], None], *, fetched: bool) -> Exception | None:
        try:
            self._reconcile(stop, pause, fetched=fetched)
        except AgentError as error:
            return error
        except Exception as error:  # noqa: BLE001 -- whatever it is, the commit gets its outcome
            _log.exception("a bug of ours", extra={"environment": self.progress.run.environment, "run": self.progress.run.id})
            return error
        return None

    def _reconcile(self, stop: Callable[[], None], pause: Callable[[float], None], *, fetched: bool) -> None:
        reconciler, decision = self._reconciler, self._decision
        prepared = self._approved(self._permitted(stop, pause) if decision.whole and self._gate.asks else self._prepare(stop))
        try:
            carry_out(
                prepared,
                reconciler.source,
                self.progress,
                Waiting(stop, pause),
                secrets=reconciler.known_secrets(),
                settle=decision.whole and decision.trigger in _NOT_THE_FIRST,
                fetched=fetched,
            )
        except SawnOff:
            reconciler.source.mark_rejected(decision.revision)
            raise
        reconciler.succeeded(prepared)
        if prepared.approved:
            self._gate.approvals.forget()

    def _prepare(self, stop: Callable[[], None]) -> Prepared:
        decision = self._decision
        return self._reconciler.prepare(
            decision.revision, self.progress, whole=decision.whole, consented=self._consented, stop=stop
        )

    def _permitted(self, stop: Callable[[], None], pause: Callable[[float], None]) -> Prepared:
        """What is planned, once it may be: validation goes on beside planning."""
        checking = None if self._wishes.skip_gate else self._gate.begin(self._decision.revision, self._reporter.say)
        try:
            return self._through_the_gate(self._prepare(stop), checking, Patience(stop, pause, self._say))
        except Superseded as error:
            if checking is not None and error.successor is not None:
                checking.abandon()
            elif checking is not None:  # the agent stops or is suspended: whichever goes on with the commit finds the build
                checking.leave()
            raise

    def _through_the_gate(self, prepared: Prepared, checking: Checking | None, patience: Patience) -> Prepared:
        """Mistakes are said before anybody waits; after a long wait the systems are looked at again."""
        refuse(prepared, self.progress, prepared.before_approval() if self._why_approval(prepared) else prepared.first_error())
        began = time.monotonic()
        with self.progress.step("gate"), suppress(_Skipped):
            self._gate.wait(prepared.revision, checking, replace(patience, stop=lambda: self._stop_or_skip(patience.stop)))
        return prepared if time.monotonic() - began < _STALE else self._prepare(patience.stop)

    def _stop_or_skip(self, stop: Callable[[], None]) -> None:
        """The operator may lose patience while the run waits, or had none from the beginning."""
        stop()
        if self._wishes.skip_gate:
            self._skipped = True
            raise _Skipped

    def _approved(self, prepared: Prepared) -> Prepared:
        """Raises AwaitingApproval where somebody has to approve the plan first. People are asked about whole plans only."""
        why = self._why_approval(prepared)
        if not why:
            return prepared
        refuse(prepared, self.progress, prepared.before_approval())
        with self.progress.step("approval"):
            self._gate.approvals.check(prepared.revision, self._due(prepared), why)
        return prepared.as_approved()

    def _why_approval(self, prepared: Prepared) -> str:
        return self._gate.approvals.needed(self._due(prepared), whole=prepared.whole)

    def _due(self, prepared: Prepared) -> list[Plan]:
        return prepared.due(self._reconciler.known_secrets())

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._reporter.waiting(self.progress.run, text)

    def _say_failed(self, text: str) -> None:
        self._reporter.failed(self.progress.run, text)

    def _end(self, error: Exception | None) -> None:
        outcome, text = _outcome(error, self.progress, whole=self._decision.whole)
        notes = [
            note
            for note in ("gate skipped" if self._skipped and outcome is Outcome.SUCCESS else "", self.progress.outstanding)
            if note
        ]
        run = self.progress.end(outcome, f"{text} ({'; '.join(notes)})" if notes else text)
        changed = any(result.changed for result in self.progress.results.values())
        self.healed = self.progress.undone and not self._decision.whole
        if not isinstance(error, Superseded):
            self._wishes.granted(self._consented, skipped=self._skipped)
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
                "seconds": round(max(0.0, run.ended - run.started), 3),
                "said": run.message,
            },
        )
        if not self.quiet:
            self._reporter.finished(run, self.progress.results)
        self._reporter.tell(run)


def _outcome(error: Exception | None, progress: Progress, *, whole: bool) -> tuple[Outcome, str]:
    if error is None:
        parts = [f"{name}: {result.message}" for name, result in progress.results.items() if result.changed or result.drift]
        verb = "applied" if whole else "healed"
        return Outcome.SUCCESS, f"{verb}; {', '.join(parts)}" if parts else "no changes"
    if isinstance(error, Superseded):
        return Outcome.SUPERSEDED, str(error)
    if isinstance(error, AwaitingApproval):
        return Outcome.AWAITING, str(error)
    text = str(error) if isinstance(error, AgentError) else f"internal error: {type(error).__name__}"
    if isinstance(error, InvalidRevision) and progress.touched:
        text = f"{text} (found after earlier targets were applied)"
    return (Outcome.FAILURE if progress.touched else Outcome.ERROR), text
