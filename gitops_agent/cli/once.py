"""One environment without a worker: what `plan` and `apply` need. The environment's lock keeps a running agent and this apart."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gitops_agent import app, log, secret
from gitops_agent.errors import Refused, Superseded
from gitops_agent.gate import Patience
from gitops_agent.journal import Journal
from gitops_agent.lock import FileLock
from gitops_agent.model import Revision, Run
from gitops_agent.reconcile import Prepared, Progress
from gitops_agent.report import Outbox
from gitops_agent.settings import AgentSettings
from gitops_agent.worker.attempt import Attempt
from gitops_agent.worker.restoring import Restoration
from gitops_agent.worker.schedule import Decision
from gitops_agent.worker.wishes import Wishes

_REPORTED_WITHIN = 10.0
"""Seconds to wait for statuses to arrive; what is left is sent by the agent when it starts."""


@dataclass(frozen=True)
class Planned:
    """What a run would do, and what prevents it, by target."""

    revision: Revision
    run: Run
    prepared: Prepared
    stale: bool
    """A running agent has the environment: the branch was not asked again, its newest known revision was planned."""

    @property
    def errors(self) -> dict[str, str]:
        return {plan.target.name: secret.mask(str(plan.error)) for plan in self.prepared.plans if plan.error is not None}


class Once:
    """Use as a context manager. `source` is another repository than the configured one: `--from PATH`."""

    def __init__(self, settings: AgentSettings, name: str, source: str = "") -> None:
        log.configure(secret.mask, level="warning")
        self.name = name
        self._settings = settings.model_copy(update={"environments": {name: settings.environments[name]}})
        self._from = source
        self._reconciler = app.reconciler(self._settings, name, source=source)
        self._lock = FileLock(settings.state / name / "lock")
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._reconciler.close()
        self._lock.release()

    def release(self) -> None:
        """Lets an agent have the environment."""
        self._lock.release()

    def applied(self) -> Revision | None:
        """What was applied last, by an agent or by hand."""
        return self._reconciler.source.applied()

    def plan(self, consented: Collection[str] = (), at: Revision | None = None) -> Planned:
        """Reads, renders, observes and compares. `at` is another revision than the branch's newest; whoever names it answers for
        it. Raises AgentError where that cannot be done for the whole."""
        own = self._lock.acquire()
        if not own and self._from:
            raise Refused(f"{self._lock.owner()} runs {self.name}; stop it first, or plan without --from")
        revision = self._reconciler.source.fetch() if own else self._reconciler.source.head()
        if revision is None:
            raise Refused(f"{self._lock.owner()} runs {self.name} and has not fetched anything yet")
        revision = at or revision
        progress = Progress(Run("", self.name, "plan", revision, time.time()))
        prepared = self._reconciler.prepare(revision, progress, consented=consented, trusted=at is not None)
        return Planned(revision, progress.run, prepared, stale=not own)

    def begin(self, wishes: Wishes, approved: str = "") -> Attempt:
        """Fetches, and prepares the one run; `approved` is the digest of a plan. Raises Refused while an agent runs the
        environment."""
        if not self._lock.acquire():
            raise Refused(f"{self._lock.owner()} runs {self.name}: `gitops-agent sync` asks it, or stop it first")
        decision = Decision(self._reconciler.source.fetch(), "apply", whole=True)
        self._journal = Journal(self._settings.state / "journal.sqlite3", keep_runs=self._settings.keep_runs)
        self._outbox = Outbox(self._journal, app.destinations(self._settings, {self.name: self._reconciler}))
        self._reporter = app.reporter(self._settings, self.name, self._journal, self._outbox)
        self._gate = app.gate(self._settings, self.name, self._reconciler.source)
        self._gate.approvals.expect(approved)
        return Attempt(
            self.name,
            decision,
            self._reconciler,
            self._reporter,
            self._gate,
            wishes,
            Restoration(self._reconciler, self._settings.environments[self.name], self._settings.state / self.name),
        )

    def carry_out(self, attempt: Attempt) -> Exception | None:
        """The run, to its end, and that of a validation which it did not wait for; statuses that cannot be sent now wait for the
        agent."""
        self._outbox.start()
        try:
            ended = attempt.run(stop=self._heed, pause=self._pause, fetched=True)
            self._gate.conclude(Patience(self._heed, self._pause))
            return ended
        finally:
            self._outbox.close(_REPORTED_WITHIN)
            self._reporter.close()
            self._journal.close()

    def stop(self) -> None:
        """Ends the run between two changes."""
        self._stopped.set()

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _heed(self) -> None:
        if self._stopped.is_set():
            raise Superseded(None)
