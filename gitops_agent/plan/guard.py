"""Refuses plans that nobody can have meant."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action
from gitops_agent.plan.plan import Plan

_FEW = 10
"""Below this many owned resources a share says nothing; an empty desired state is refused at any size."""
_NAMED = 3
_LONGEST = 40
"""Characters of one name: the digest at the end must still fit a commit status."""


@dataclass(frozen=True)
class Limits:
    """Largest share of owned resources that one plan may delete without consent, in percent."""

    max_delete_percent: int = 30


def guard(plan: Plan, limits: Limits, consented: Collection[str] = ()) -> None:
    """Raises UnsafePlan for a plan that overwrites what is not ours, deletes everything, deletes a large share, or destroys data;
    the last three pass when `consented` holds the plan's digest (failure modes 14, 30)."""
    foreign = [change.name for change in plan if change.action is Action.REFUSE]
    if foreign:
        raise UnsafePlan(f"{plan.target}: {_names(foreign)} not ours, with other content; adopt = true takes over")
    refusal = _refusal(plan, limits)
    if refusal and plan.digest not in consented:
        raise UnsafePlan(f"{plan.target}: {refusal}; consent: sync --allow-deletes {plan.digest}", digest=plan.digest)


def leave(plan: Plan) -> tuple[Plan, tuple[str, ...]]:
    """The plan without what only goes forward, and the names of that: nobody is asked on the way back, so it destroys nothing, and
    does nothing that somebody would have to approve."""
    left = tuple(change for change in plan if change.destructive or change.held)
    return replace(plan, changes=tuple(change for change in plan if change not in left)), tuple(change.name for change in left)


def _refusal(plan: Plan, limits: Limits) -> str:
    deleted = sum(change.action is Action.DELETE for change in plan)
    if deleted and deleted >= plan.owned and not any(change.action is Action.CREATE for change in plan):
        return f"would delete everything ({deleted} owned)"
    if plan.owned >= _FEW and deleted * 100 > limits.max_delete_percent * plan.owned:
        return f"would delete {deleted} of {plan.owned} resources"
    destroyed = [change.destructive for change in plan if change.destructive]
    return f"would destroy {_names(destroyed)}" if destroyed else ""


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…" for name in names[:_NAMED]) + more
