"""Decides when to look at the branch and whether to run: a state machine without threads, clocks or I/O.

Triggers only say «look». A new revision or an operator's sync runs at once; everything else waits for the back-off.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from gitops_agent.errors import AgentError, GateClosed, Retry
from gitops_agent.model import Revision

_FIRST_DELAY = 2.0
_LONGEST_DELAY = 300.0
_SETTLE = 0.3
"""Seconds to wait after a live event, so that a burst of them is one run."""
_QUIET = 60.0
"""Seconds without healing after which somebody who undoes our work is no longer assumed."""
_NEVER = float("inf")
RESTORE = "restore"
"""The trigger of a run that goes on with bringing back what was applied."""


@dataclass(frozen=True)
class Decision:
    """Run `revision` because of `trigger`; `whole` applies everything, else each target's drift policy decides."""

    revision: Revision
    trigger: str
    whole: bool


def back_off(failures: int, rng: random.Random) -> float:
    """Seconds before the next attempt: 2 s, 4 s … 5 min, a fifth more or less, so that environments do not march in step."""
    return float(min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(failures - 1, 10)) * rng.uniform(0.8, 1.2))


class Schedule:
    """What one environment knows about when. All times are seconds of one monotonic clock, handed in."""

    def __init__(self, poll: float, resync: float, *, clean: bool = False, rng: random.Random | None = None) -> None:
        self._poll = poll
        self._resync = resync
        self._rng = rng or random.Random()  # noqa: S311 -- jitter, not a secret
        self.attempted: Revision | None = None
        self.clean = clean
        """Whether the last run was a success: then what differs from the applied revision has drifted."""
        self._of_head = True
        self._refused = ""
        self._failures = 0
        self._fetch_failures = 0
        self._retry_at = _NEVER
        self._look_at = 0.0
        self._resync_at = 0.0
        self._drift_at = _NEVER
        self._drift_reason = ""
        self._heals = 0
        self._healed_at = -_NEVER
        self._sync = ""
        self._closed = False

    @property
    def next_attempt(self) -> float:
        """When a failed revision is tried again; infinite when it is not."""
        return self._retry_at

    def due(self) -> float:
        """When something is to be done even if nothing rings; at once for what was asked for while a run went on. (Without a
        source, and perhaps without any revision known, it waits for the next look.)"""
        if self._sync and not self._fetch_failures:
            return 0.0
        return min(self._look_at, self._retry_at, self._resync_at, self._drift_at)

    def look(self, now: float, *, rung: bool) -> bool:
        """Whether to fetch now."""
        return rung or bool(self._sync) or now >= self._look_at

    def looked(self, now: float, *, reached: bool) -> None:
        """The branch was fetched, or could not be: then sooner again than the next poll, but ever later."""
        self._fetch_failures = 0 if reached else self._fetch_failures + 1
        delay = self._poll if reached else min(self._poll, back_off(self._fetch_failures, self._rng))
        self._look_at = now + delay * self._rng.uniform(0.95, 1.05)

    def sync(self, trigger: str = "sync") -> None:
        """The operator wants a whole run now: by itself, or because of an approval."""
        self._sync = trigger

    def opened(self, now: float) -> None:
        """Others said something on a commit. Where the last run failed because of what they said, it is tried again now."""
        if self._closed and self._retry_at < _NEVER:
            self._retry_at = now

    def drifted(self, now: float, reason: str) -> None:
        """A system said that something changed. Who undoes our work again and again is healed ever more rarely."""
        delay = _SETTLE if self._heals == 0 else back_off(self._heals, self._rng)
        self._drift_at = min(self._drift_at, max(now + _SETTLE, self._healed_at + delay))
        self._drift_reason = reason

    def decide(
        self,
        now: float,
        head: Revision | None,
        applied: Revision | None,
        *,
        rejected: bool,
        trigger: str,
        restoring: bool = False,
    ) -> Decision | None:
        """What to run now, if anything. `head` is the newest revision known, `applied` the last successful one, `rejected` says
        that head must never be tried again by itself. While head is no good, the systems are held at what was applied.
        `restoring`: bringing `applied` back was cut short."""
        if head is not None and self._sync:
            trigger, self._sync = self._sync, ""
            return Decision(head, trigger, whole=True)
        good = head is not None and not rejected and head.sha != self._refused
        if head is not None and good and head != self.attempted:
            return Decision(head, trigger, whole=not (self.clean and head == applied))
        if head is not None and good and self._retry_at <= now:
            return Decision(head, "retry", whole=True)
        if restoring and not good and applied is not None:
            return Decision(applied, RESTORE, whole=True)
        hold = head if good else applied
        waits_for_retry = good and self._retry_at < _NEVER
        if hold is None or waits_for_retry:
            self._put_off(self._retry_at if waits_for_retry else now + self._resync)
            return None
        if self._drift_at <= now:
            return Decision(hold, f"drift: {self._drift_reason}", whole=False)
        return Decision(hold, "resync", whole=False) if self._resync_at <= now else None

    def _put_off(self, until: float) -> None:
        """Looks for drift make no sense before: what is due but not done would keep the worker awake."""
        self._resync_at = max(self._resync_at, until)
        self._drift_at = max(self._drift_at, until)

    def started(self, decision: Decision, *, of_head: bool) -> None:
        """`of_head` is false for a run that holds the systems at the applied revision."""
        if of_head:
            if decision.revision != self.attempted:
                self._failures = 0
            self.attempted = decision.revision
            self._refused = ""
            self._retry_at = _NEVER
        self._of_head = of_head
        self._drift_at = _NEVER

    def ended(self, now: float, error: Exception | None, *, healed: bool = False) -> None:
        """The run is over. An error without a retry policy is a bug of ours and tried again like the rest."""
        self._resync_at = now + self._resync * self._rng.uniform(0.95, 1.05)
        if healed:
            self._heals = self._heals + 1 if now - self._healed_at < _QUIET else 1
            self._healed_at = now
        self.clean = error is None
        self._closed = isinstance(error, GateClosed)
        if error is None:
            self._failures = 0
        elif isinstance(error, AgentError) and error.retry is Retry.NEVER_FOR_THIS_REVISION:
            if self._of_head and self.attempted is not None:
                self._refused = self.attempted.sha
        else:
            self._failures += 1
            again = now + back_off(self._failures, self._rng)
            if self._of_head:
                self._retry_at = again
            else:
                self._drift_at, self._drift_reason = again, "retry"

    def abandoned(self) -> None:
        """The run was superseded or suspended: whatever is newest then counts as new."""
        self.attempted = None
        self.clean = False
