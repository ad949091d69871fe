"""What holds for every plan, whatever desired, observed and applied are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action, Change, Resource, State
from gitops_agent.plan import Limits, Plan, compare, guard
from gitops_agent.plan.diff import diff, fields

scalars = (
    st.none()
    | st.booleans()
    | st.integers(0, 2)
    | st.sampled_from(["", "a", "b", "a\nb\n", "a\nc"])
    | st.sampled_from([b"", b"\xff"])
)
names = st.sampled_from("abc")
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2), max_leaves=5)
specs = st.dictionaries(names, values, max_size=3)


@st.composite
def resources(draw: st.DrawFn) -> Resource:
    spec = draw(specs)
    shown = draw(st.none() | st.just(dict.fromkeys(spec, "gitops_secret_")))
    return Resource(draw(st.sampled_from("pqrstu")), spec, shown, draw(st.integers(0, 2)), owned=draw(st.booleans()))


def states(**fixed: Any) -> st.SearchStrategy[State]:
    return st.lists(resources(), max_size=6).map(lambda found: State.of(*(replace(resource, **fixed) for resource in found)))


desireds, observeds = states(owned=True, version=""), states(shown=None)
applieds = st.none() | states()


def carried_out(plan: Plan, observed: State) -> State:
    """What a target does with a plan."""
    after = dict(observed.resources)
    for change in plan:
        if change.action is Action.DELETE:
            assert change.before is not None
            del after[change.name]
        elif change.action is not Action.REFUSE:
            assert change.after is not None
            after[change.name] = replace(change.after, owned=True)
    return State(after)


@given(desireds, observeds, applieds, st.booleans(), st.booleans())
def test_a_plan_that_is_applied_leaves_nothing_to_do(
    desired: State, observed: State, applied: State | None, adopt: bool, prune: bool
) -> None:
    plan = compare("t", desired, observed, applied=lambda: applied, adopt=adopt, prune=prune)
    after = carried_out(plan, observed)
    again = compare("t", desired, after, applied=lambda: desired, adopt=adopt, prune=prune)
    assert [change.action for change in again] == [Action.REFUSE] * len(plan.only(Action.REFUSE).changes)
    if not plan.only(Action.REFUSE):
        assert {name: after.resources[name].spec for name in desired.resources} == {one.name: one.spec for one in desired}


@given(observeds)
def test_what_is_equal_needs_nothing_and_no_history(state: State) -> None:
    def applied() -> State | None:
        raise AssertionError("the last applied revision was rendered for nothing")

    ours = State.of(*(replace(resource, owned=True) for resource in state))
    plan = compare("t", ours, ours, applied=applied)
    assert not plan
    assert plan.owned == len(ours)
    assert not plan.writes


@given(desireds, observeds, applieds, st.booleans())
def test_nothing_foreign_is_touched(desired: State, observed: State, applied: State | None, adopt: bool) -> None:
    plan = compare("t", desired, observed, applied=lambda: applied, adopt=adopt)
    for change in plan:
        found = observed.get(change.name)
        last = applied.get(change.name) if applied else None
        foreign = found is not None and not found.owned and not (last is not None and last.spec == found.spec)
        if foreign:
            assert change.action is not Action.DELETE
            assert change.action is not Action.UPDATE or adopt
            assert change.action is not Action.REFUSE or not adopt


@given(desireds, observeds, applieds)
def test_history_is_asked_for_once(desired: State, observed: State, applied: State | None) -> None:
    calls: list[None] = []

    def ask() -> State | None:
        calls.append(None)
        return applied

    compare("t", desired, observed, applied=ask)
    assert len(calls) <= 1


@given(desireds, observeds, applieds)
def test_the_order_is_the_repositorys_and_deletes_come_last_in_reverse(
    desired: State, observed: State, applied: State | None
) -> None:
    """Failure mode 38."""
    plan = compare("t", desired, observed, applied=lambda: applied)
    deleted = [change.name for change in plan if change.action is Action.DELETE]
    others = [change.name for change in plan if change.action is not Action.DELETE]
    assert [change.name for change in plan] == others + deleted
    assert others == [resource.name for resource in desired if resource.name in others]
    assert deleted == [resource.name for resource in observed if resource.name in deleted][::-1]


@given(desireds, observeds, applieds)
def test_the_digest_is_that_of_the_plan(desired: State, observed: State, applied: State | None) -> None:
    def plan(target: str = "t", wanted: State = desired) -> Plan:
        return compare(target, wanted, observed, applied=lambda: applied)

    assert plan().digest == plan().digest
    assert plan("other").digest != plan().digest
    another = State({**desired.resources, "new": Resource("new", {"x": 1})})
    assert plan(wanted=another).digest != plan().digest
    for index, change in enumerate(plan()):
        less = replace(plan(), changes=(*plan().changes[:index], *plan().changes[index + 1 :]))
        assert less.digest != plan().digest
        if change.after is not None:
            other = replace(change, after=replace(change.after, spec={"z": 0}, shown=None))
            assert replace(less, changes=(*less.changes, other)).digest != replace(less, changes=(*less.changes, change)).digest


@given(desireds, observeds, applieds)
def test_live_content_is_printed_only_where_its_history_is_known(desired: State, observed: State, applied: State | None) -> None:
    for change in compare("t", desired, observed, applied=lambda: applied, adopt=True):
        last = applied.get(change.name) if applied else None
        wanted = desired.get(change.name)
        known = last is not None and not last.sensitive and wanted is not None and not wanted.sensitive
        if change.before is not None and not (known and change.action is Action.UPDATE):
            assert change.before.printable == {}
        assert (change.action is Action.DELETE) <= (change.diff == "")


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 100), st.integers(0, 100), st.booleans())
def test_the_guard_is_monotonic(deleted: int, more: int, percent: int, higher: int, creates: bool) -> None:
    """Who deletes more, or is allowed less, is never let through where less was refused."""
    owned = deleted + more + 3

    def refused(count: int, limit: int) -> bool:
        changes = tuple(Change(Action.DELETE, f"r{index}", "not declared", Resource(f"r{index}", {})) for index in range(count))
        created = (Change(Action.CREATE, "new", "absent", None, Resource("new", {})),) if creates else ()
        try:
            guard(Plan("t", created + changes, owned=owned), Limits(limit))
        except UnsafePlan:
            return True
        return False

    assert refused(deleted, percent) <= refused(deleted + more, percent)
    assert refused(deleted, max(percent, higher)) <= refused(deleted, min(percent, higher))
    assert not refused(0, 0)


@given(specs, specs)
def test_fields_are_empty_exactly_where_nothing_differs(before: dict[str, Any], after: dict[str, Any]) -> None:
    differing = [*fields(before, after)]
    assert bool(differing) == (before != after)
    assert all(old != new for _, old, new in differing)
    assert bool(diff(before, after)) == (before != after)


@given(specs, specs)
def test_names_that_only_live_content_has_are_not_told(before: dict[str, Any], after: dict[str, Any]) -> None:
    renamed = _renamed(before)
    assert not any("LIVE" in path for path, _, _ in fields(renamed, after, disclose=False))
    assert bool([*fields(renamed, after, disclose=False)]) == (renamed != after)


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"LIVE{name}": _renamed(item) for name, item in value.items()} | {
            name: _renamed(item) for name, item in value.items()
        }
    return [_renamed(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("count", [9, 10, 11])
def test_a_share_counts_from_ten_resources_on(count: int) -> None:
    deletes = tuple(Change(Action.DELETE, f"r{index}", "not declared", Resource(f"r{index}", {})) for index in range(count // 2))
    plan = Plan("t", deletes, owned=count)
    if count < 10:
        guard(plan, Limits(30))
    else:
        with pytest.raises(UnsafePlan, match=f"would delete {count // 2} of {count} resources"):
            guard(plan, Limits(30))
        guard(plan, Limits(30), consented=["other", plan.digest])
