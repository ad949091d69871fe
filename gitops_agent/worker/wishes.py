"""What an operator wants of the next whole run."""

from __future__ import annotations

from collections.abc import Collection


class Wishes:
    """Held until a run came to its end with them. Wished by any thread, granted by the worker's."""

    def __init__(self, consented: Collection[str] = (), *, skip_gate: bool = False) -> None:
        self.consented = frozenset(consented)
        """Digests of unsafe plans that may be carried out."""
        self.skip_gate = skip_gate
        """Nothing has to be green; what needs approval still does."""

    def add(self, consented: Collection[str], *, skip_gate: bool) -> None:
        self.consented |= frozenset(consented)
        self.skip_gate = self.skip_gate or skip_gate

    def granted(self, consented: frozenset[str], *, skipped: bool) -> None:
        """A run ended that began with this consent, and skipped the gate or not; what was wished since is for the next one."""
        self.consented -= consented
        self.skip_gate = self.skip_gate and not skipped
