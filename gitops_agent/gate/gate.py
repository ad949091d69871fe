"""Everything that one environment's runs have to pass."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_agent.gate.approvals import Approvals
from gitops_agent.gate.patience import Patience
from gitops_agent.gate.requires import Requires
from gitops_agent.model import Revision


@dataclass(frozen=True)
class Gate:
    """What is green is asked after planning; approval, of what was planned, comes last."""

    approvals: Approvals
    requires: Requires | None = None

    @property
    def asks(self) -> bool:
        """Whether anything has to be green."""
        return self.requires is not None

    def wait(self, revision: Revision, patience: Patience) -> None:
        """Raises GateClosed, or Unavailable when it cannot be told."""
        patience.stop()
        if self.requires is not None:
            self.requires.wait(revision, patience)
