"""One pure function from desired and observed to a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gitops_agent.model import Action, Change, Resource, State
from gitops_agent.plan.diff import diff, fields
from gitops_agent.plan.plan import Plan
from gitops_agent.secret import conceal

Applied = Callable[[], State | None]
"""What the last applied revision says of the target, secrets resolved; None when there is none. Called only when something differs:
it costs the rendering of another revision."""

_NAMED_FIELDS = 3


def nothing_applied() -> State | None:
    """For an environment that never had a successful run."""
    return None


def compare(
    target: str,
    desired: State,
    observed: State,
    *,
    applied: Applied = nothing_applied,
    adopt: bool = False,
    prune: bool = True,
) -> Plan:
    """What must change so that `observed` becomes `desired`: creates and updates in the order of the repository, then deletes in
    reverse order of observation. Resources without our mark are refused, or adopted, never silently overwritten or deleted."""
    changes = [*_wanted(desired, observed, applied, adopt=adopt)]
    if prune:
        changes += reversed([*_unwanted(desired, observed, applied)])
    return Plan(target, tuple(changes), owned=sum(resource.owned for resource in observed))


def _wanted(desired: State, observed: State, applied: Applied, *, adopt: bool) -> Iterator[Change]:
    for wanted in desired:
        found = observed.get(wanted.name)
        if found is None:
            yield Change(Action.CREATE, wanted.name, "absent", None, wanted, diff(None, conceal(wanted.printable)))
        elif found.spec == wanted.spec:
            if not (found.owned or _was_applied(found, applied)):
                yield Change(Action.ADOPT, wanted.name, "exists with the same content, not marked", found, wanted)
        else:
            yield _update(found, wanted, applied, adopt=adopt)


def _update(found: Resource, wanted: Resource, applied: Applied, *, adopt: bool) -> Change:
    names = [path or "content" for path, _, _ in fields(found.spec, wanted.spec)]
    more = f" and {len(names) - _NAMED_FIELDS} more" if len(names) > _NAMED_FIELDS else ""
    reason = f"differs in {', '.join(names[:_NAMED_FIELDS])}{more}"
    shown = _safe_diff(found, wanted, applied)
    if found.owned or _was_applied(found, applied):
        return Change(Action.UPDATE, wanted.name, reason, found, wanted, shown)
    if adopt:
        return Change(Action.UPDATE, wanted.name, f"adopted; {reason}", found, wanted, shown)
    return Change(Action.REFUSE, wanted.name, f"exists, is not ours and {reason}", found, wanted, shown)


def _unwanted(desired: State, observed: State, applied: Applied) -> Iterator[Change]:
    for found in observed:
        if found.name not in desired and (found.owned or _was_applied(found, applied)):
            yield Change(Action.DELETE, found.name, "not declared", _with_history(found, applied), None, "")


def _was_applied(found: Resource, applied: Applied) -> bool:
    """An adopted resource carries no mark until its next real change; until then being what we last said of it is its mark."""
    state = applied()
    before = state.get(found.name) if state else None
    return before is not None and before.spec == found.spec


def _safe_diff(found: Resource, wanted: Resource, applied: Applied) -> str:
    """Between live content and desired where neither can hold a secret; else between the two renderings with references.

    A resource that holds a reference, or held one in the last applied revision, or whose history is not known although it is ours,
    may hold a secret in its live content: that is never printed.
    """
    state = applied()
    before = state.get(wanted.name) if state else None
    if not wanted.sensitive and not (before and before.sensitive) and (before is not None or not found.owned):
        return diff(found.spec, wanted.spec)
    if before is None:
        return diff(None, conceal(wanted.printable))
    shown = diff(conceal(before.printable), conceal(wanted.printable))
    if before.printable == wanted.printable:
        return "(sensitive) differs from the live value"
    return shown or "(sensitive) another secret is referred to"


def _with_history(found: Resource, applied: Applied) -> Resource:
    """The resource as found, marked as sensitive where the last applied revision says so: its content must not be digested."""
    state = applied()
    before = state.get(found.name) if state else None
    return replace(found, shown=before.shown) if before is not None else found
