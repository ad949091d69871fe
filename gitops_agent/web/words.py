"""States in words, as the pages say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitops_agent.model import Run

if TYPE_CHECKING:
    from gitops_agent.worker import EnvironmentStatus


def state_of(status: EnvironmentStatus) -> str:
    """One word for an environment, the most pressing first."""
    if status.suspended:
        return "suspended"
    if status.current is not None:
        return "running"
    if not status.ready:
        return "waiting"
    if status.awaiting is not None:
        return "awaiting approval"
    if status.outcome is None:
        return "unreachable" if status.fetch_error else "no run yet"
    if status.outcome == "success" and status.drift:
        return "drifted"
    return str(status.outcome)


def sentence(status: EnvironmentStatus) -> str:
    """What goes with that word: why, or what the last run said."""
    if status.waiting:
        return status.waiting
    if status.current is not None:
        run = status.current
        return f"in progress: {run.steps[-1].name} is done" if run.steps else f"just begun, by {run.trigger}"
    if status.awaiting is not None:
        return status.awaiting.run.message
    if status.outcome == "success" and status.drift:
        return "; ".join(f"{target.name}: {target.message}" for target in status.targets if target.drift)
    return status.message or "no run yet"


def outcome_of(run: Run, running: bool) -> str:
    """One word for a run; one that nobody works on and that never ended was cut short by a crash."""
    if run.outcome is not None:
        return str(run.outcome)
    return "running" if running else "cut short"
