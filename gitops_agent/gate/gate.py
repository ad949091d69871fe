"""Everything that one environment's runs have to pass."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from gitops_agent.errors import AgentError, InvalidRevision
from gitops_agent.gate.approvals import Approvals
from gitops_agent.gate.checking import CONTEXT, Checking, Say
from gitops_agent.gate.patience import Patience
from gitops_agent.gate.requires import Requires
from gitops_agent.gate.validation import Validation
from gitops_agent.model import CommitStatus, Revision, StatusState


@dataclass(frozen=True)
class Gate:
    """Validation begins with the run; what is green is asked after planning; approval, of what was planned, comes last."""

    approvals: Approvals
    requires: Requires | None = None
    validation: Validation | None = None

    @property
    def asks(self) -> bool:
        """Whether anything has to be green, or is at least looked at."""
        return self.requires is not None or self.validation is not None

    def begin(self, revision: Revision, say: Say) -> Checking | None:
        """Starts what takes a while. `say` is called from another thread, too. Raises InvalidRevision."""
        if self.validation is None:
            return None
        try:
            return self.validation.begin(revision, say)
        except InvalidRevision as error:
            if self.validation.required:
                raise
            say(CommitStatus(revision.sha, CONTEXT, StatusState.ERROR, str(error)))
            return None

    def resume(self, revision: Revision | None, say: Say) -> None:
        """What an agent that was stopped has left to be said of that revision is said by this one. Costs nothing otherwise."""
        if self.validation is not None and revision is not None:
            with suppress(AgentError):  # then a run of the revision says it
                self.validation.resume(revision, say)

    def conclude(self, patience: Patience) -> None:
        """Waits for what nobody had to wait for. Where `patience` ends, the next agent says it."""
        if self.validation is not None:
            self.validation.conclude(patience)

    def wait(self, revision: Revision, checking: Checking | None, patience: Patience) -> None:
        """Raises InvalidRevision and GateClosed, or Unavailable when it cannot be told."""
        patience.stop()
        if checking is not None and self.validation is not None and self.validation.required:
            checking.wait(patience)
            self.validation.passed(revision)
        if self.requires is not None:
            self.requires.wait(revision, patience)
