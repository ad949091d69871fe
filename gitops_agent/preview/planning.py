"""The plan of a merge: what it would change on the branch, or in the live system where there is a way to look and do no more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from gitops_agent.errors import AgentError, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Revision, State
from gitops_agent.plan import Limits, Plan, compare, guard
from gitops_agent.preview.request import Section
from gitops_agent.reconcile.applied import LastApplied
from gitops_agent.reconcile.desired import Desired
from gitops_agent.secret import mask, references, unresolved
from gitops_agent.target import Target

_LONGEST = 100_000
"""Characters of one target's plan; the comment shows less. Lines stay whole: half a secret would not be recognised."""

Read = Callable[[Revision], Desired]


def sections(
    targets: list[Target], key: bytes, read: Read, base: Revision, merged: Revision, applied: Revision | None
) -> tuple[Section, ...]:
    """In the order of the targets. Raises InvalidRevision for what the merge must not say."""
    desired = read(merged)
    wanted = {target.name: _checked(target, desired[target.name], key) for target in targets}
    before = _before(read, base, applied)
    last = LastApplied(lambda: applied, read)
    return tuple(_section(target, wanted[target.name], before.get(target.name, State()), last, key) for target in targets)


def _checked(target: Target, state: State, key: bytes) -> State:
    try:
        return unresolved(state, key, target.settings.secrets)
    except InvalidRevision as error:
        raise error.below(target.settings.folder) from None


def _before(read: Read, base: Revision, applied: Revision | None) -> Desired:
    """What the branch says; where that is no good, and the request may be what mends it, what was applied last."""
    for revision in (base, applied):
        with suppress(AgentError):
            if revision is not None:
                return read(revision)
    return {}


def _section(target: Target, wanted: State, declared: State, last: LastApplied, key: bytes) -> Section:
    before = _as_declared(target, declared, key)
    plan, live, said = _compared(target, wanted, before), False, ""
    reader = target.reader()
    if reader is not None:
        try:
            plan, live = _live(reader, wanted, before, last, key), True
        except (Unavailable, UnsafePlan) as error:
            said = f"not compared with the live system: {error}"
        except InvalidRevision as error:
            raise error.below(target.settings.folder) from None
        finally:
            reader.close()
    try:
        guard(plan, Limits(target.settings.max_delete_percent))
    except UnsafePlan as error:
        said = f"would be refused: {error}"
    text = "\n".join(plan.text().splitlines()[1:]) if plan else ""
    return Section(target.name, plan.count(), len(plan.changes), _cut(mask(text)), live, mask(said))


def _as_declared(target: Target, declared: State, key: bytes) -> State:
    """The branch's own mistakes are not those of the request; what cannot be checked is taken as if it held a secret."""
    try:
        return unresolved(declared, key, target.settings.secrets)
    except InvalidRevision:
        return unresolved(declared, key, ("*",))


def _compared(target: Target, wanted: State, before: State) -> Plan:
    return compare(target.name, wanted, before, applied=lambda: before, prune=target.settings.prune)


def _live(reader: Target, wanted: State, before: State, last: LastApplied, key: bytes) -> Plan:
    """What holds a secret is compared with the branch: its live value is not asked for, and there is none to compare it with."""
    settings = reader.settings
    said = [resource for state in (wanted, before) for resource in state]
    hidden = {resource.name for resource in said if references(resource.spec, key) or not reader.tells(resource)}
    shown = _without(hidden, wanted)
    plan = compare(
        reader.name,
        shown,
        _without(hidden, reader.observe(shown)),
        applied=lambda: last.state(reader.name, key, _no_secrets, settings.secrets),
        adopt=settings.adopt,
        prune=settings.prune,
    )
    plan = reader.review(plan)
    held_back = _compared(reader, _only(hidden, wanted), _only(hidden, before))
    return Plan(plan.target, (*plan.changes, *held_back.changes), owned=plan.owned + len(hidden))


def _without(names: set[str], state: State) -> State:
    return State.of(*(resource for resource in state if resource.name not in names))


def _only(names: set[str], state: State) -> State:
    return State.of(*(resource for resource in state if resource.name in names))


def _no_secrets(_reference: str) -> NoReturn:
    raise Unavailable("secrets are not resolved for pull requests")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: text.rfind("\n", 0, _LONGEST) + 1]
