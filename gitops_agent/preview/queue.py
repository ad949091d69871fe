"""Whose turn it is. Pure: a pull request that keeps changing, or that costs much, waits longer than the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gitops_agent.gitea import Pull

_LONGEST = 900.0
_DOUBLINGS = 8


@dataclass(frozen=True)
class Seen:
    """The last look at one pull request: what was looked at (`head` is empty where it is to be tried again) and when it began.
    `moved` counts the changes of the live systems until then; None where the plan does not depend on them."""

    head: str
    base: str
    began: float
    moved: int | None = None
    failures: int = 0


class Queue:
    """`pause` is the least time in seconds between two looks at one pull request; it doubles while looking at it does not end well,
    up to a quarter of an hour. `refresh`: seconds after which a plan of live systems is made anew. Times are monotonic."""

    def __init__(self, pause: float, refresh: float) -> None:
        self._pause = pause
        self._refresh = refresh
        self._seen: dict[int, Seen] = {}
        self.moved = 0
        """How often the live systems were changed by a run."""

    def next(self, pulls: Sequence[Pull], now: float) -> Pull | None:
        """The one that has waited longest of those that are due."""
        due = [pull for pull in pulls if self._why(pull, now) and self._not_before(pull) <= now]
        return min(due, key=self._not_before) if due else None

    def wait(self, pulls: Sequence[Pull], now: float) -> float:
        """Seconds until one is due, infinite where nothing is known to become so."""
        waits = [self._not_before(pull) - now for pull in pulls if self._why(pull, now)]
        waits += [seen.began + self._refresh - now for seen in self._seen.values() if seen.moved is not None]
        return max(0.0, min(waits, default=float("inf")))

    def stale(self, pull: Pull) -> str:
        """Why what was said of its head no longer holds; empty where it does, or where its head itself is new."""
        seen = self._seen.get(pull.number)
        if seen is None or seen.head != pull.head:
            return ""
        if seen.base != pull.onto:
            return "base"
        return "live" if seen.moved is not None and seen.moved != self.moved else ""

    def began(self, pull: Pull, now: float) -> None:
        failures = self._seen[pull.number].failures if pull.number in self._seen else 0
        self._seen[pull.number] = Seen("", pull.onto, now, None, failures)  # should it come to nothing, it is due again

    def ended(self, pull: Pull, *, base: str, well: bool, again: bool, moved: int | None) -> None:
        """`base`: what it was merged with; `well`: it cost no more than it should; `again`: it is to be tried again."""
        seen = self._seen[pull.number]
        head = "" if again else pull.head
        failures = 0 if well else seen.failures + 1
        self._seen[pull.number] = replace(seen, head=head, base=base or seen.base, moved=moved, failures=failures)

    def keep(self, numbers: Collection[int]) -> None:
        """Forgets all others."""
        self._seen = {number: seen for number, seen in self._seen.items() if number in numbers}

    def known(self) -> set[int]:
        return {*self._seen}

    def _why(self, pull: Pull, now: float) -> bool:
        seen = self._seen.get(pull.number)
        if seen is None or seen.head != pull.head or self.stale(pull):
            return True
        return seen.moved is not None and now >= seen.began + self._refresh

    def _not_before(self, pull: Pull) -> float:
        seen = self._seen.get(pull.number)
        if seen is None:
            return float("-inf")
        return seen.began + (min(_LONGEST, self._pause * 2 ** min(seen.failures, _DOUBLINGS)) if self._pause else 0.0)
