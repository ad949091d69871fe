"""The worker of one environment: a thread that sleeps until its bell rings or its wait is over, and then does one run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from pathlib import Path

from gitops_agent.errors import AwaitingApproval, Superseded
from gitops_agent.gate import Gate
from gitops_agent.lock import FileLock
from gitops_agent.model import Outcome, Revision
from gitops_agent.reconcile import Reconciler
from gitops_agent.secret import mask
from gitops_agent.settings import EnvironmentSettings
from gitops_agent.worker.attempt import Attempt
from gitops_agent.worker.branch import Branch
from gitops_agent.worker.doorbell import Doorbell
from gitops_agent.worker.reporting import Reporter
from gitops_agent.worker.restoring import Restoration
from gitops_agent.worker.schedule import RESTORE, Decision, Schedule
from gitops_agent.worker.status import Awaiting, EnvironmentStatus, TargetStatus
from gitops_agent.worker.suspension import Suspension
from gitops_agent.worker.watching import Watching
from gitops_agent.worker.wishes import Wishes

_log = logging.getLogger(__name__)
_DRIFT = "drift: "
_STAND_BY = 2.0
"""Seconds between tries for a lock that another agent has."""


class Environment:
    """One branch of one config repo and its targets. Everything public may be called from any thread."""

    def __init__(
        self,
        name: str,
        settings: EnvironmentSettings,
        *,
        reconciler: Reconciler,
        reporter: Reporter,
        gate: Gate,
        directory: Path,
        clean: bool = False,
    ) -> None:
        self.name = name
        self.settings = settings
        self.source = reconciler.source
        self._reconciler = reconciler
        self._reporter = reporter
        self._gate = gate
        self._restoration = Restoration(reconciler, settings, directory)
        self._lock = FileLock(directory / "lock")
        self._suspended = Suspension(name, directory / "suspended")
        self._bell = Doorbell()
        self._schedule = Schedule(settings.poll, settings.resync, clean=clean)
        self._watching = Watching(settings, reconciler.targets, self.wake)
        self._thread = threading.Thread(target=self._live, name=f"environment {name}", daemon=True)
        self._stopping = False
        self._wishes = Wishes()
        self._attempt: Attempt | None = None
        self._targets = {target.name: TargetStatus(target.name, target.settings.kind) for target in reconciler.targets}
        self._ready = False
        self._waiting = "starting"
        self._branch = Branch(name, self.source)
        self._applied: Revision | None = None
        self._ended: Attempt | None = None
        self._awaiting: Awaiting | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float = 30) -> None:
        """Ends the run in hand between two changes; it is continued after the next start."""
        self._stopping = True
        self._bell.ring("stop")
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._watching.close()
        self._reconciler.close()
        self._reporter.close()
        self._lock.release()

    def wake(self, reason: str) -> None:
        """Something says «look»: `webhook`, `refs`, `drift: …`. Costs nothing and never blocks."""
        self._bell.ring(reason)

    def sync(self, allow_deletes: Collection[str] = (), *, skip_gate: bool = False) -> None:
        """The operator wants a whole run now, and consents to the plans with these digests; with `skip_gate` nothing has to be
        green for it. Raises Refused while suspended."""
        self._suspended.refuse()
        self._wishes.add(allow_deletes, skip_gate=skip_gate)
        self._bell.ring("sync")

    def approve(self, digest: str) -> None:
        """Lets the plan that awaits approval be carried out, if it still is the plan when it is made again. Raises Refused while
        suspended, and when another plan waits, or none."""
        self._suspended.refuse()
        self._gate.approvals.give(digest)
        self._bell.ring("approval")

    def suspend(self, why: str = "") -> None:
        """Stops reconciling, also after a restart; the change in hand is finished."""
        self._suspended.begin(why)
        self._bell.ring("suspend")

    def resume(self) -> None:
        self._suspended.end()
        self._bell.ring("resume")

    def status(self) -> EnvironmentStatus:
        suspended = bool(self._suspended)
        attempt, ended = self._attempt, self._ended
        next_attempt = self._schedule.next_attempt - time.monotonic() + time.time()
        return EnvironmentStatus(
            name=self.name,
            source=self.settings.source,
            branch=self.settings.branch,
            ready=self._ready,
            waiting=self._suspended.why if suspended else self._waiting,
            suspended=suspended,
            head=self._branch.head,
            attempted=self._schedule.attempted,
            applied=self._applied,
            fetch_error=self._branch.error,
            outcome=ended.progress.run.outcome if ended else None,
            message=ended.progress.run.message if ended else "",
            current=attempt.progress.run if attempt else None,
            next_attempt=next_attempt if next_attempt < float("inf") else None,
            awaiting=self._awaiting,
            targets=tuple(self._targets.values()),
        )

    def _live(self) -> None:
        while not self._lock.acquire():
            self._waiting = f"another agent has the lock: {self._lock.owner()}"
            self._bell.wait(_STAND_BY)
            self._bell.answer()
            if self._stopping:
                return
        self._waiting = ""
        self._reconciler.start()
        self._watching.start()
        self._bell.ring("start")
        while not self._stopping:
            try:
                self._turn()
            except Exception:  # noqa: BLE001
                # A bug of ours in the loop itself must not end it: the next turn may well do.
                _log.exception("the worker stumbled", extra={"environment": self.name})
                self._bell.wait(_STAND_BY)

    def _turn(self) -> None:
        """One wait and at most one run."""
        self._bell.wait(max(0.0, self._schedule.due() - time.monotonic()))
        reasons = self._bell.answer()
        now = time.monotonic()
        self._heed(reasons)
        if self._stopping or self._suspended:
            if not self._stopping:
                self._bell.wait(None)  # nothing is due for whoever is suspended
            return
        calls = [reason for reason in reasons if not reason.startswith(_DRIFT)]
        if self._schedule.look(now, rung=bool(calls)):
            self._look()
        self._applied = self.source.applied()
        self._gate.resume(self._branch.head, self._reporter.say)
        decision = self._schedule.decide(
            time.monotonic(),
            self._branch.head,
            self._restoration.held_at(self._applied),
            rejected=self._branch.head is not None and self.source.is_rejected(self._branch.head),
            trigger=next(iter(calls), "poll"),
            restoring=self._restoration.cut_short is not None,
        )
        if decision is not None:
            self._run(decision)

    def _look(self) -> bool:
        """Asks for the branch; False when it cannot be reached."""
        reached = self._branch.look()
        self._ready = True
        self._schedule.looked(time.monotonic(), reached=reached)
        return reached

    def _stop(self, known: Revision | None) -> None:
        """Between two changes and in every wait: raises Superseded when the run shall end. A ring alone does not end it: only a
        head newer than the one known when the run began does, and whether there is one git says."""
        if self._stopping or self._suspended:
            raise Superseded(None)
        if not self._bell.rung:
            return
        reasons = self._bell.answer()
        self._heed(reasons)
        if any(not reason.startswith(_DRIFT) for reason in reasons) and self._look() and self._branch.head != known:
            for reason in reasons:  # the next turn shall begin at once, and with the same trigger
                self._bell.ring(reason)
            raise Superseded(self._branch.head)

    def _heed(self, reasons: Collection[str]) -> None:
        for reason in reasons:
            if reason.startswith(_DRIFT):
                self._schedule.drifted(time.monotonic(), reason.removeprefix(_DRIFT))
            elif reason in ("sync", "approval"):
                self._schedule.sync(reason)
            elif reason == "status":
                self._schedule.opened(time.monotonic())

    def _run(self, decision: Decision) -> None:
        head = self._branch.head
        of_head = decision.revision == head
        self._schedule.started(decision, of_head=of_head)
        attempt = Attempt(self.name, decision, self._reconciler, self._reporter, self._gate, self._wishes, self._restoration)
        if decision.whole:
            self._awaiting = None
            self._gate.approvals.withdraw()
        self._attempt = attempt
        try:
            error = attempt.run(
                stop=lambda: self._stop(head),
                pause=self._bell.wait,
                fetched=head is not None and not self._branch.error,
            )
        finally:
            self._attempt = None
        if of_head or error is not None:  # that the systems are held at what was applied does not make a bad head good
            self._note_targets(attempt)
            well = self._ended is not None and self._ended.progress.run.outcome is Outcome.SUCCESS
            self._ended = self._ended if attempt.quiet and well else attempt
        if isinstance(error, AwaitingApproval):
            self._awaiting = Awaiting(error.digest, attempt.progress.run)
        if isinstance(error, Superseded):
            self._schedule.abandoned()
            return
        self._schedule.ended(time.monotonic(), error, healed=attempt.healed)
        self._applied = self.source.applied()
        if decision.trigger != RESTORE and self._restoration.cut_short is not None:
            self._bell.ring(RESTORE)  # the commit that ended a way back is no good either
        if decision.trigger == "resync":  # nobody waits
            self.source.tidy()

    def _note_targets(self, attempt: Attempt) -> None:
        for name, result in attempt.progress.results.items():
            known = self._targets[name]
            self._targets[name] = TargetStatus(name, known.kind, result.outcome, mask(result.message), result.drift)
