"""What an approval covers, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gitops_agent.errors import AwaitingApproval, Refused
from gitops_agent.gate import Approvals
from gitops_agent.model import Action, Change, Resource, Revision
from gitops_agent.plan import Plan

A, B = Revision("main", "a" * 40), Revision("main", "b" * 40)


def change(name: str, before: str = "", held: str = "", after: str = "new") -> Change:
    found = Resource(name, {"content": before}) if before else None
    action = Action.UPDATE if before else Action.CREATE
    return Change(action, name, "absent", before=found, after=Resource(name, {"content": after}), held=held)


PLANS = [Plan("one", (change("x"), change("y", "old"))), Plan("two", (change("z"),))]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


def approvals(directory: Path, *, manual: bool = True) -> Approvals:
    return Approvals("test", directory, manual=manual)


def asked(of: Approvals, revision: Revision = A, plans: list[Plan] = PLANS) -> str:
    with pytest.raises(AwaitingApproval) as caught:
        of.check(revision, plans, "every plan does")
    assert caught.value.digest in str(caught.value)
    return caught.value.digest


def test_it_covers_that_plan_also_after_a_restart(directory):
    first = approvals(directory)
    digest = asked(first)
    first.give(digest)
    approvals(directory).check(A, PLANS, "")


@pytest.mark.parametrize(
    ("revision", "plans"),
    [
        (B, PLANS),
        (A, PLANS[:1]),
        (A, [Plan("one", (change("x"), change("y", "moved"))), PLANS[1]]),
        (A, [*PLANS, Plan("three", (change("w"),))]),
        (A, [Plan("one", (PLANS[0].changes[1], PLANS[0].changes[0])), PLANS[1]]),
    ],
    ids=["another commit", "less", "what is there moved", "more", "another order"],
)
def test_it_covers_no_other_plan(directory, revision, plans):
    given = approvals(directory)
    digest = asked(given)
    given.give(digest)
    assert asked(given, revision, plans) != digest


def test_what_is_left_of_a_plan_that_was_begun_is_covered_and_nothing_else(directory):
    given = approvals(directory)
    given.give(asked(given))
    given.check(A, PLANS, "")
    rest = [Plan("one", (change("y", "old"),)), PLANS[1]]
    approvals(directory).check(A, rest, "")
    approvals(directory).check(A, [Plan("one", (change("y", "half-written"),))], "")
    for revision, plan in (
        (B, rest[0]),
        (A, Plan("one", (change("y", "old", after="newer"),))),
        (A, Plan("one", (change("y", "old", held="stops the running vault"),))),
        (A, Plan("one", (replace(change("y", "old"), destructive="y"),))),
        (A, Plan("one", (replace(change("y", "old"), action=Action.DELETE),))),
        (A, Plan("two", (change("y", "old"),))),
    ):
        asked(approvals(directory), revision, [plan])


def test_it_is_for_once(directory):
    given = approvals(directory)
    given.give(asked(given))
    given.check(A, PLANS, "")
    given.forget()
    asked(given)


def test_only_the_plan_that_waits_can_be_approved(directory):
    given = approvals(directory)
    with pytest.raises(Refused, match="no plan of test awaits approval"):
        given.give("0" * 12)
    digest = asked(given)
    with pytest.raises(Refused, match=f"that is {digest}"):
        given.give("0" * 12)
    given.withdraw()
    with pytest.raises(Refused, match="no plan"):
        given.give(digest)


def test_a_file_that_is_no_approval_approves_nothing(directory):
    given = approvals(directory)
    digest = asked(given)
    given.give(digest)
    for nonsense in ("", "[]", '{"digest": 1}', "{"):
        (directory / "approval.json").write_text(nonsense)
        assert asked(given) == digest


@pytest.mark.parametrize(
    ("manual", "whole", "held", "needed"),
    [
        (True, True, "", True),
        (True, False, "", False),
        (False, True, "", False),
        (False, True, "stops the running vault", True),
        (True, False, "stops the running vault", True),
    ],
)
def test_when_it_is_needed(directory, manual, whole, held, needed):
    plans = [Plan("one", (change("x", held=held),))]
    assert bool(approvals(directory, manual=manual).needed(plans, whole=whole)) is needed


def test_adopting_writes_nothing_and_needs_none(directory):
    adopted = replace(change("x"), action=Action.ADOPT)
    assert approvals(directory).needed([Plan("one", (adopted,))], whole=True) == ""
