"""The journal for the rest of the agent: never in the way. What is lost is said once, and tried again a little later."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from gitops_agent import metrics
from gitops_agent.journal import runs, statuses, tables
from gitops_agent.journal.entries import JournalCorrupt, JournalLost, OutboxItem
from gitops_agent.journal.owed import Owed
from gitops_agent.journal.store import Store, aside
from gitops_agent.model import CommitStatus, Run

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_STATUSES_PER_RUN = 20
"""Statuses kept for each run kept."""


class Journal:
    """Runs and reports of all environments. Opened when first asked; any thread may ask.

    Every method raises JournalLost where the journal cannot be used. The first time it says so aloud; then it answers so at once
    for `patience` seconds, because a run must not wait for a locked file again and again. Runs that could not be recorded are
    kept in memory and written with whatever can be written first. A corrupt file is moved aside and a new one started: what was
    reported is then asked of the destination.
    """

    def __init__(self, path: Path, *, keep_runs: int = 1000, patience: float = 5.0) -> None:
        self._path = path
        self._keep_runs = keep_runs
        self._patience = patience
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._lost = ""
        self._lost_until = 0.0
        self._owed = Owed()
        metrics.journal_lost.set(0)

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    @property
    def lost(self) -> str:
        """Why the journal cannot be used; empty while it can."""
        return self._lost

    # Runs.

    def record(self, run: Run, reports: Sequence[CommitStatus] = ()) -> bool:
        """Writes the run over what was known of it and queues its reports, both or neither: a run whose outcome is known is never
        without its report. True when one of them is news. With a finished run the oldest are forgotten."""
        try:
            return self._write(lambda connection: self._record(connection, run, reports))
        except JournalLost:
            self._owed.add(run, reports)
            raise

    def settle(self) -> None:
        """Brings a lost journal back, with what is owed to it; does nothing while it is well. Called now and then by who has time.
        Raises JournalLost while it cannot be used."""
        if self._lost or self._owed.entries():
            self._write(tables.touch)

    def run(self, id: str) -> Run | None:  # noqa: A002 -- the word of the model
        return self._read(lambda connection: runs.find(connection, id))

    def runs(self, environment: str | None = None, limit: int = 50, before: str | None = None) -> list[Run]:
        """Newest first, without their plans, which may be large; `before` is the id of the last run of the page before."""
        return self._read(lambda connection: runs.newest(connection, environment, limit, before))

    # Reports.

    def queue(self, environment: str, status: CommitStatus, *, outcome: bool = False) -> bool:
        """Puts a status into the outbox; False when it says nothing new (`statuses.queue` has the rules)."""
        return self._write(lambda connection: _queue(connection, environment, [status], outcome=outcome))

    def recall(self, environment: str, reports: Sequence[CommitStatus]) -> None:
        """Notes what a journal that was lost had sent."""

        def recall(connection: Connection) -> None:
            for status in reports:
                statuses.recall(connection, environment, status)

        self._write(recall)

    def last(self, sha: str, context: str) -> CommitStatus | None:
        """What was last queued, sent or not."""
        return self._read(lambda connection: statuses.last(connection, sha, context))

    def statuses(self, sha: str) -> list[CommitStatus]:
        """All that was queued for a commit, oldest first, but for what was dropped."""
        return self._read(lambda connection: statuses.of_commit(connection, sha))

    def pending(self, environment: str) -> list[CommitStatus]:
        """The commits that still wait for their outcome."""
        return self._read(lambda connection: statuses.pending(connection, environment))

    # The outbox's side.

    def due(self, environment: str, now: float = float("inf")) -> list[OutboxItem]:
        """What may be sent now: of each commit and context the oldest unsent status; what never failed first."""
        return [item for item in self._read(lambda connection: statuses.waiting(connection, environment)) if item.due <= now]

    def waiting(self, environment: str) -> int:
        """How many statuses are not sent yet."""
        return self._read(lambda connection: statuses.count_waiting(connection, environment))

    def sending(self, id: int) -> bool:  # noqa: A002
        """Called before a status goes out, so that it is looked up if its answer never comes. False when it was dropped since."""
        return self._write(lambda connection: statuses.sending(connection, id))

    def sent(self, id: int) -> None:  # noqa: A002
        self._write(lambda connection: statuses.change(connection, id, place=statuses.SENT, note=""))

    def postponed(self, id: int, until: float, error: str) -> None:  # noqa: A002
        self._write(lambda connection: statuses.change(connection, id, due=until, note=error))

    def dropped(self, id: int, reason: str) -> None:  # noqa: A002
        self._write(lambda connection: statuses.change(connection, id, place=statuses.DROPPED, note=reason))

    # What may go wrong.

    def _write(self, work: Callable[[Connection], _T]) -> _T:
        def write(store: Store) -> _T:
            owed = self._owed.entries()
            with store.writing() as connection:
                for entry in owed:
                    self._record(connection, entry.run, entry.reports)
                result = work(connection)
            self._owed.paid(owed)
            return result

        self._have_patience()
        result = self._do(write)
        if self._lost:  # only a write shows that it can be written again
            self._lost = ""
            metrics.journal_lost.set(0)
            _log.warning("the journal can be used again", extra={"path": str(self._path)})
        return result

    def _read(self, work: Callable[[Connection], _T]) -> _T:
        def read(store: Store) -> _T:
            with store.reading() as connection:
                return work(connection)

        if self._store is None:  # opening it may write
            self._have_patience()
        return self._do(read)

    def _have_patience(self) -> None:
        if self._lost and time.monotonic() < self._lost_until:
            raise JournalLost(self._lost)

    def _do(self, work: Callable[[Store], _T]) -> _T:
        try:
            store = self._opened()
            try:
                return work(store)
            except JournalCorrupt as error:
                self._replace(store, error)
                return work(self._opened())
        except JournalLost as error:
            self._lose(str(error))
            raise

    def _record(self, connection: Connection, run: Run, reports: Sequence[CommitStatus]) -> bool:
        runs.record(connection, run)
        news = _queue(connection, run.environment, reports, outcome=run.outcome is not None)
        if run.outcome is not None:
            runs.prune(connection, run.environment, self._keep_runs)
            statuses.prune(connection, run.environment, self._keep_runs * _STATUSES_PER_RUN)
        return news

    def _lose(self, reason: str) -> None:
        if not self._lost:
            metrics.journal_lost.set(1)
            _log.error("the journal is lost: nothing is reported, reconciling goes on", extra={"reason": reason})
        self._lost, self._lost_until = reason, time.monotonic() + self._patience

    def _opened(self) -> Store:
        with self._lock:
            if self._store is not None and self._store.gone:
                _log.error("somebody took the journal away; a new one is started", extra={"path": str(self._path)})
                self.close()
            if self._store is None:
                try:
                    self._store = Store(self._path)
                except JournalCorrupt as error:
                    aside(self._path, str(error))
                    self._store = Store(self._path)
            return self._store

    def _replace(self, corrupt: Store, error: JournalCorrupt) -> None:
        with self._lock:
            if self._store is corrupt:  # else another thread was faster
                self.close()
                aside(self._path, str(error))


def _queue(connection: Connection, environment: str, reports: Sequence[CommitStatus], *, outcome: bool = False) -> bool:
    news = False
    for status in reports:
        # The first commit a journal hears of may have been reported by the agent that kept the journal before it.
        uncertain = runs.knows_only(connection, environment, status.sha)
        news |= statuses.queue(connection, environment, status, uncertain=uncertain, outcome=outcome)
    return news
