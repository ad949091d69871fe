"""The bell of one environment: webhook, file watch, live event and operator ring it; ten rings are one wake."""

from __future__ import annotations

import threading


class Doorbell:
    """A flag with reasons. Says only «look»; what to do is read from git and from the systems."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._reasons: dict[str, None] = {}  # in order of their first ring

    def ring(self, reason: str) -> None:
        with self._rung:
            self._reasons[reason] = None
            self._rung.notify_all()

    def wait(self, seconds: float | None) -> None:
        """Returns when it has rung, at once if it has already, or after `seconds` (None: not before)."""
        with self._rung:
            self._rung.wait_for(lambda: self._reasons, seconds)

    def answer(self) -> tuple[str, ...]:
        """The reasons since the last answer. Asked before looking: what rings while somebody looks is answered next time."""
        with self._rung:
            reasons = tuple(self._reasons)
            self._reasons.clear()
            return reasons

    @property
    def rung(self) -> bool:
        return bool(self._reasons)
