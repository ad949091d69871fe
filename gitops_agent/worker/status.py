"""What an environment tells people and programs about itself."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_agent.model import Outcome, Revision, Run


@dataclass(frozen=True)
class TargetStatus:
    """One target after the last run that looked at it; `outcome` is empty until then."""

    name: str
    kind: str
    outcome: str = ""
    message: str = ""
    drift: bool = False
    """It differs from the applied revision and is left so, as its policy says."""


@dataclass(frozen=True)
class Awaiting:
    """A plan that waits until somebody approves it by its digest; `run` ended with it."""

    digest: str
    run: Run


@dataclass(frozen=True)
class EnvironmentStatus:
    """A snapshot. Times are epoch seconds."""

    name: str
    source: str
    branch: str
    ready: bool
    """Whether this agent owns the environment and has looked at its branch at least once."""
    waiting: str = ""
    """Why it does nothing, where it does nothing: another agent's lock, or suspended and why."""
    suspended: bool = False
    head: Revision | None = None
    """The newest revision seen on the branch."""
    attempted: Revision | None = None
    applied: Revision | None = None
    fetch_error: str = ""
    """Why the branch cannot be fetched at present."""
    outcome: Outcome | None = None
    message: str = ""
    current: Run | None = None
    """The run in progress."""
    next_attempt: float | None = None
    awaiting: Awaiting | None = None
    targets: tuple[TargetStatus, ...] = ()

    @property
    def drift(self) -> tuple[str, ...]:
        return tuple(target.name for target in self.targets if target.drift)
