"""One pure function from desired and observed to a plan."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace

from gitops_agent.model import Action, Change, Resource, State
from gitops_agent.plan.diff import diff, fields
from gitops_agent.plan.plan import Plan
from gitops_agent.secret import conceal

Applied = Callable[[], State | None]
"""What the last applied revision says of the target, secrets resolved; None when there is none. Called at most once, and only when
something differs or carries no mark: it costs the rendering of another revision."""

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
    history = _History(applied)
    changes = [*_wanted(desired, observed, history, adopt=adopt)]
    if prune:
        changes += reversed([*_unwanted(desired, observed, history)])
    return Plan(target, tuple(changes), owned=sum(map(history.owns, observed)))


class _History:
    """What is known of observed resources from the last applied revision."""

    def __init__(self, applied: Applied) -> None:
        self._applied = functools.cache(applied)

    def last(self, name: str) -> Resource | None:
        state = self._applied()
        return state.get(name) if state else None

    def owns(self, found: Resource) -> bool:
        """An adopted resource carries no mark until its next real change; until then being what we last said of it is its mark."""
        if found.owned:
            return True
        last = self.last(found.name)
        return last is not None and last.spec == found.spec

    def may_show(self, found: Resource, wanted: Resource) -> bool:
        """Live content is shown only where the last applied revision declares it, and neither then nor now with a secret in it.
        Without that history there may be anybody's secret in it, or an old one of ours."""
        last = self.last(found.name)
        return last is not None and not last.sensitive and not wanted.sensitive


def _wanted(desired: State, observed: State, history: _History, *, adopt: bool) -> Iterator[Change]:
    for wanted in desired:
        found = observed.get(wanted.name)
        if found is None:
            yield Change(Action.CREATE, wanted.name, "absent", None, wanted, diff(None, conceal(wanted.printable)))
        elif found.spec != wanted.spec:
            yield _update(found, wanted, history, adopt=adopt)
        elif not history.owns(found):
            yield Change(Action.ADOPT, wanted.name, "exists with the same content, not marked", _withheld(found), wanted)


def _update(found: Resource, wanted: Resource, history: _History, *, adopt: bool) -> Change:
    show = history.may_show(found, wanted)
    reason = f"differs in {_differing(found, wanted, disclose=show)}"
    action = Action.UPDATE
    if not history.owns(found):
        action, reason = (action, f"adopted; {reason}") if adopt else (Action.REFUSE, f"exists, is not ours and {reason}")
    text = diff(found.spec, wanted.spec) if show else _diff_of_renderings(history.last(found.name), wanted)
    return Change(action, wanted.name, reason, found if show else _withheld(found), wanted, text)


def _unwanted(desired: State, observed: State, history: _History) -> Iterator[Change]:
    for found in observed:
        if found.name not in desired and history.owns(found):
            yield Change(Action.DELETE, found.name, "not declared", _withheld(found), None)


def _withheld(found: Resource) -> Resource:
    """The same for who applies the change; printed or digested, it says nothing."""
    return replace(found, shown={})


def _differing(found: Resource, wanted: Resource, *, disclose: bool) -> str:
    paths = dict.fromkeys(path or "what is not declared" for path, _, _ in fields(found.spec, wanted.spec, disclose=disclose))
    names = [*paths][:_NAMED_FIELDS]
    more = f" and {len(paths) - _NAMED_FIELDS} more" if len(paths) > _NAMED_FIELDS else ""
    return ", ".join(names) + more


def _diff_of_renderings(last: Resource | None, wanted: Resource) -> str:
    """Where live content may hold a secret: from what the last applied revision says to what this one says, with references."""
    if last is None:
        return f"(live content is not shown: no applied revision declares it)\n{diff(None, conceal(wanted.printable))}"
    if last.printable == wanted.printable:
        return "(sensitive) differs from the live value"
    return diff(conceal(last.printable), conceal(wanted.printable)) or "(sensitive) another secret is referred to"
