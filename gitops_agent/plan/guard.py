"""Refuses plans that nobody can have meant."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action
from gitops_agent.plan.plan import Plan

_FEW = 10
"""Below this many owned resources a share says nothing; an empty desired state is refused at any size."""
_NAMED = 3


@dataclass(frozen=True)
class Limits:
    """Largest share of owned resources that one plan may delete without consent, in percent."""

    max_delete_percent: int = 30


def guard(plan: Plan, limits: Limits, consented: Collection[str] = ()) -> None:
    """Raises UnsafePlan for a plan that overwrites what is not ours, deletes everything, deletes a large share, or destroys data;
    the last three pass when `consented` holds the plan's digest (failure modes 14, 30)."""
    foreign = [change.name for change in plan if change.action is Action.REFUSE]
    if foreign:
        raise UnsafePlan(f"{plan.target}: {_names(foreign)} not ours and different; set adopt = true to take over")
    if plan.digest in consented:
        return
    deleted = [change.name for change in plan if change.action is Action.DELETE]
    kept = plan.owned - len(deleted)
    if deleted and kept == 0 and not any(change.action is Action.CREATE for change in plan):
        raise _unsafe(plan, f"would delete all {len(deleted)} owned resources")
    if plan.owned >= _FEW and len(deleted) * 100 > limits.max_delete_percent * plan.owned:
        raise _unsafe(plan, f"would delete {len(deleted)} of {plan.owned} resources")
    destroyed = [change.destructive for change in plan if change.destructive]
    if destroyed:
        raise _unsafe(plan, f"would destroy {_names(destroyed)}")


def _unsafe(plan: Plan, what: str) -> UnsafePlan:
    return UnsafePlan(f"{plan.target}: {what}; consent: sync --allow-deletes {plan.digest}", digest=plan.digest)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
