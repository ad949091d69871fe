"""For kinds in which something that is not ours may have the name and content that ours should have."""

from __future__ import annotations

import pytest

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action
from tests.conformance.converge import converge, plan
from tests.conformance.holding import assert_holds
from tests.conformance.subject import AdoptableSubject


class Adoption:
    def test_the_same_without_mark_is_adopted_and_not_written(self, subject: AdoptableSubject) -> None:
        subject.plant(subject.first)
        seen, writes = subject.look(), subject.writes()
        made = converge(subject.target(), subject.first)
        assert {change.action for change in made} == {Action.ADOPT}
        assert (subject.look(), subject.writes()) == (seen, writes)
        assert not plan(subject.target(), subject.first, applied=subject.first), "being what was applied is the mark"

    def test_something_else_without_mark_is_refused(self, subject: AdoptableSubject) -> None:
        subject.plant(subject.first)
        seen = subject.look()
        with pytest.raises(UnsafePlan, match="not ours"):
            converge(subject.target(), subject.second)
        assert subject.look() == seen

    def test_something_else_without_mark_is_taken_over_when_told(self, subject: AdoptableSubject) -> None:
        subject.plant(subject.first)
        converge(subject.target(adopt=True), subject.second)
        expected = subject.expected(subject.second)
        seen = subject.look()
        assert {name: seen[name].content for name in expected} == expected

    def test_adopted_then_changed_is_marked(self, subject: AdoptableSubject) -> None:
        subject.plant(subject.first)
        converge(subject.target(), subject.first)
        made = converge(subject.target(), subject.without, applied=subject.first)
        assert [change.action for change in made] == [Action.UPDATE]
        (changed,) = [change.name for change in made]
        # Without history only a mark says that it is ours.
        assert changed not in [change.name for change in plan(subject.target(), subject.without)]

    def test_adopted_then_removed_is_pruned(self, subject: AdoptableSubject) -> None:
        subject.plant(subject.first)
        converge(subject.target(), subject.first)
        made = converge(subject.target(), subject.second, applied=subject.first)
        assert Action.DELETE in {change.action for change in made}
        assert_holds(subject, subject.second)
