"""All reports that leave the agent."""

from __future__ import annotations

import time
from collections.abc import Mapping

from gitops_agent.journal import Journal
from gitops_agent.report.courier import Courier, Pace
from gitops_agent.report.destination import Destination


class Outbox:
    """Delivers what is queued in the journal to the destination of its environment, in threads of its own: no run waits for it."""

    def __init__(self, journal: Journal, destinations: Mapping[str, Destination], pace: Pace | None = None) -> None:
        pace = pace or Pace()
        self._couriers = [Courier(name, journal, destination, pace) for name, destination in destinations.items()]

    def start(self) -> None:
        """Goes on with what an earlier agent left unsent."""
        for courier in self._couriers:
            courier.start()

    def ring(self) -> None:
        """Something was queued. Never blocks."""
        for courier in self._couriers:
            courier.ring()

    def drain(self, timeout: float) -> bool:
        """Waits until everything queued so far has arrived; False when that took too long. What is left is sent after the next
        start."""
        deadline = time.monotonic() + timeout
        arrived = [courier.drain(max(0.0, deadline - time.monotonic())) for courier in self._couriers]
        return all(arrived)

    def close(self, timeout: float = 5.0) -> None:
        """Delivers what can be delivered in that time, and ends."""
        self.drain(timeout)
        for courier in self._couriers:
            courier.close(timeout)
