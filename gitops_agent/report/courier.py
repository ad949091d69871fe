"""Delivers the reports of one environment, one after the other, until they have arrived. One of the three retry loops there are.

A report is marked in the journal before it goes out. Whatever stops it then — a lost answer, kill -9, power — it is looked up at
the destination before it is sent again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass

from gitops_agent import metrics
from gitops_agent.errors import AgentError, Unavailable
from gitops_agent.gitea import CommitGone, Throttled, TokenRefused
from gitops_agent.journal import Journal, JournalLost, OutboxItem
from gitops_agent.report.describe import describe
from gitops_agent.report.destination import Destination

_log = logging.getLogger(__name__)
_IDLE = 30.0
"""Seconds after which it looks though nobody rang: what a lost journal is owed is written then, and sent."""


@dataclass(frozen=True)
class Pace:
    """Seconds between attempts: 2 s, 4 s … 5 min, a fifth more or less."""

    first: float = 2.0
    longest: float = 300.0

    def back_off(self, failures: int) -> float:
        return self.vary(min(self.longest, self.first * 2 ** min(failures - 1, 10)))

    def vary(self, seconds: float) -> float:
        return seconds * random.uniform(0.8, 1.2)  # noqa: S311 -- jitter, not a secret


class Courier:
    """A thread for each environment: one Gitea that hangs keeps no other environment's reports waiting (failure mode 50)."""

    def __init__(self, environment: str, journal: Journal, destination: Destination, pace: Pace) -> None:
        self._environment = environment
        self._journal = journal
        self._destination = destination
        self._pace = pace
        self._bell = threading.Condition()
        self._rings = 0
        self._answered = 0
        self._emptied = -1  # the last ring after which nothing was left to send
        self._closing = threading.Event()
        self._failures = 0
        self._paused_until = 0.0  # on the monotonic clock
        self._said = ""
        self._thread = threading.Thread(target=self._live, name=f"reports {environment}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> int:
        with self._bell:
            self._rings += 1
            self._bell.notify_all()
            return self._rings

    def drain(self, timeout: float) -> bool:
        """Waits until everything queued before is delivered; gives up early where no attempt will be made in time."""
        if not self._thread.is_alive():
            return False
        ring, deadline = self.ring(), time.monotonic() + timeout

        def over() -> bool:
            return self._emptied >= ring or self._paused_until > deadline

        with self._bell:
            self._bell.wait_for(over, timeout)
            return self._emptied >= ring

    def close(self, timeout: float) -> None:
        with self._bell:
            self._closing.set()
            self._bell.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _live(self) -> None:
        wait = 0.0
        while True:
            with self._bell:
                self._bell.wait_for(lambda: self._closing.is_set() or self._rings != self._answered, wait)
                if self._closing.is_set():
                    return
                self._answered = self._rings
            try:
                wait = self._deliver_due()
            except JournalLost:  # it said so itself
                wait = self._pace.vary(self._pace.first)
            except Exception:  # noqa: BLE001 -- a bug of ours must not end the reports of this environment
                _log.exception("the outbox stumbled", extra={"environment": self._environment})
                wait = self._pace.vary(self._pace.longest)

    def _deliver_due(self) -> float:
        """Sends what can be sent; seconds until something can be done again."""
        while not self._closing.is_set():
            self._journal.settle()
            metrics.outbox.labels(self._environment).set(self._journal.waiting(self._environment))
            paused = self._paused_until - time.monotonic()
            if paused > 0:
                return paused
            items = self._journal.due(self._environment)
            if not items:
                with self._bell:
                    self._emptied = self._answered
                    self._bell.notify_all()
                return _IDLE
            due = [item for item in items if self._is_due(item)]
            if not due:
                return min(item.due for item in items) - time.time()
            for item in due:
                self._deliver(item)
                if self._closing.is_set() or self._paused_until > time.monotonic():
                    break
        return _IDLE

    def _is_due(self, item: OutboxItem) -> bool:
        left = item.due - time.time()
        return left <= 0 or left > 2 * self._pace.longest  # nothing waits that long: the clock was set back (failure mode 66)

    def _deliver(self, item: OutboxItem) -> None:
        try:
            if item.uncertain and self._destination.knows(item.status):
                result = "found"
            elif self._journal.sending(item.id):
                self._destination.send(item.status)
                result = "sent"
            else:  # overtaken since it was read
                return
        except JournalLost:
            raise
        except CommitGone as error:
            self._journal.dropped(item.id, str(error))
            _log.info("report dropped", extra={"environment": self._environment, "why": str(error)})
            result = "dropped"
        except AgentError as error:
            self._postpone(item, error)
            return
        except Exception as error:  # noqa: BLE001 -- see above
            _log.exception("a report cannot be sent", extra={"environment": self._environment, "sha": item.status.sha})
            self._postpone(item, error)
            return
        else:
            self._journal.sent(item.id)
        self._failures, self._paused_until = 0, 0.0
        if self._said:
            self._said = ""
            _log.info("reports are sent again", extra={"environment": self._environment})
        metrics.statuses.labels(self._environment, result).inc()

    def _postpone(self, item: OutboxItem, error: Exception) -> None:
        """The destination rests after an error that is its own; a report that it does not like waits alone."""
        metrics.statuses.labels(self._environment, "postponed").inc()
        delay = self._pace.back_off(item.attempts + 1)
        if isinstance(error, Unavailable):
            self._failures += 1
            pause = self._pace.back_off(self._failures)
            if isinstance(error, Throttled) and error.seconds is not None:
                pause = error.seconds
            with self._bell:
                self._paused_until = time.monotonic() + pause
                self._bell.notify_all()
            delay = max(delay, pause)
        self._say(error)
        self._journal.postponed(item.id, time.time() + delay, describe(str(error)))

    def _say(self, error: Exception) -> None:
        """Once for each kind of trouble, not for each attempt (failure modes 54, 57). A Gitea that shuts down refuses good tokens:
        only one that is refused again is the operator's affair."""
        aloud = isinstance(error, TokenRefused) and self._failures > 1
        kind = f"{type(error).__name__} {aloud}"
        if kind != self._said:
            self._said = kind
            extra = {"environment": self._environment, "why": str(error), "must act": "operator" if aloud else "nobody"}
            _log.log(logging.ERROR if aloud else logging.WARNING, "reports wait, runs go on", extra=extra)
