"""The tests. A kind inherits them; see the package's docstring."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitops_agent import secret
from gitops_agent.errors import InvalidRevision, UnsafePlan
from gitops_agent.model import Action
from gitops_agent.plan import Limits, guard
from gitops_agent.secret import Secret
from tests.conformance import turns
from tests.conformance.converge import CANARY, converge, plan
from tests.conformance.holding import assert_becomes_healthy, assert_holds, others
from tests.conformance.killing import killer
from tests.conformance.subject import KEY, REFERENCE, Subject

_MOST_CALLS = 500
"""Kill points after which something must be wrong."""


def _moments(subject: Subject) -> range:
    """The calls to be killed at today, counted from 1."""
    return range(1 + turns.TODAY * subject.kill_every, _MOST_CALLS, turns.EVERY * subject.kill_every)


class Convergence:
    """All but the kills: for a second way to work of a kind whose every run takes long."""

    @pytest.fixture
    def subject(self) -> Subject:
        """Overridden by every kind."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _others_are_left_alone(self, subject: Subject) -> Iterator[None]:
        """Foreign things untouched: after every single test, not even their version has changed."""
        before = others(subject)
        assert set(before) == subject.bystanders, "the subject promises bystanders that it does not show"
        yield
        subject.close()
        assert others(subject) == before

    def test_the_first_run_brings_everything(self, subject: Subject) -> None:
        target = subject.target()
        made = converge(target, subject.first)
        assert {change.action for change in made} == {Action.CREATE}
        assert_holds(subject, subject.first)
        assert_becomes_healthy(target, subject)

    def test_twice_is_no_change_and_no_write(self, subject: Subject) -> None:
        """Failure mode 19."""
        converge(subject.target(), subject.first)
        seen, writes = subject.look(), subject.writes()
        for _ in range(2):
            assert converge(subject.target(), subject.first, applied=subject.first).text() == f"{subject.kind}: no changes\n"
        assert (subject.look(), subject.writes()) == (seen, writes)

    def test_observe_writes_nothing(self, subject: Subject) -> None:
        converge(subject.target(), subject.first)
        seen, writes = subject.look(), subject.writes()
        made = plan(subject.target(), subject.second, applied=subject.first)
        assert {change.action for change in made} == {Action.CREATE, Action.UPDATE, Action.DELETE}
        assert (subject.look(), subject.writes()) == (seen, writes)

    def test_a_second_version_and_back(self, subject: Subject) -> None:
        """Create, update and delete; failure mode 49: a revert takes back exactly what came."""
        target = subject.target()
        converge(target, subject.first)
        converge(target, subject.second, applied=subject.first)
        assert_holds(subject, subject.second)
        converge(subject.target(), subject.first, applied=subject.second)
        assert_holds(subject, subject.first)

    def test_a_removed_field_is_seen(self, subject: Subject) -> None:
        converge(subject.target(), subject.first)
        made = converge(subject.target(), subject.without, applied=subject.first)
        assert [change.action for change in made] == [Action.UPDATE]
        assert_holds(subject, subject.without)

    def test_nothing_left_in_the_folder_is_refused(self, subject: Subject) -> None:
        """Failure modes 14 and 30: all is never pruned without consent. A kind may call an empty folder invalid."""
        converge(subject.target(), subject.first)
        with pytest.raises((UnsafePlan, InvalidRevision)):
            guard(plan(subject.target(), {}, applied=subject.first), Limits())

    def test_cut_short_after_each_batch_then_converges(self, subject: Subject) -> None:
        converge(subject.target(), subject.first)
        batches = 0
        for batches in range(1, _MOST_CALLS):
            converge(subject.target(), subject.second, applied=subject.first, batches=batches)
            done = not plan(subject.target(), subject.second, applied=subject.first)
            converge(subject.target(), subject.second, applied=subject.first)
            assert_holds(subject, subject.second)
            converge(subject.target(), subject.first, applied=subject.second)
            assert_holds(subject, subject.first)
            if done:
                break
        assert batches >= 1

    def test_garbage_is_the_authors_mistake_and_touches_nothing(self, subject: Subject) -> None:
        """Failure modes 12, 17, 47."""
        converge(subject.target(), subject.first)
        seen, writes = subject.look(), subject.writes()
        for what, files in subject.garbage.items():
            with pytest.raises(InvalidRevision) as raised:
                converge(subject.target(), files, applied=subject.first)
            assert raised.value.file in files, f"{what}: {raised.value} names no file of the folder"
        assert (subject.look(), subject.writes()) == (seen, writes)

    def test_drift_is_found_and_healed(self, subject: Subject) -> None:
        """Failure mode 29."""
        converge(subject.target(), subject.first)
        long_lived = subject.target()
        assert not plan(long_lived, subject.first, applied=subject.first)
        subject.tamper()
        assert plan(subject.target(), subject.first, applied=subject.first)
        assert converge(long_lived, subject.first, applied=subject.first), "a cache hid the drift"
        assert_holds(subject, subject.first)

    def test_what_was_removed_by_hand_comes_back(self, subject: Subject) -> None:
        converge(subject.target(), subject.first)
        subject.vandalise()
        converge(subject.target(), subject.first, applied=subject.first)
        assert_holds(subject, subject.first)

    def test_a_secret_is_applied_kept_and_never_shown(self, subject: Subject) -> None:
        """Failure mode 59."""
        files = subject.with_secret(secret.placeholder(Secret(REFERENCE), KEY))
        made = converge(subject.target(), files)
        assert not plan(subject.target(), files, applied=files)
        rotated = {REFERENCE: "canary-after-rotation"}
        changed = converge(subject.target(), files, applied=files, secrets=rotated)
        assert {change.action for change in changed} == {Action.UPDATE}
        assert not plan(subject.target(), files, applied=files, secrets=rotated)
        for text in (made.text(), changed.text(), str(made.to_json()), str(changed.to_json())):
            assert CANARY not in text
            assert rotated[REFERENCE] not in text
            assert "gitops_secret" not in text


class Killing:
    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_killed_at_each_external_call_then_converges(self, subject: Subject) -> None:
        """Failure mode 64. There and back, so that creating, updating and deleting are each cut short everywhere."""
        converge(subject.target(), subject.first)
        survived = 0
        with killer(subject) as kill:
            for number in _moments(subject):
                for before, after in ((subject.first, subject.second), (subject.second, subject.first)):
                    ended = kill.converge(after, applied=before, kill_at=number)
                    assert not ended.error or subject.excused in ended.error, ended.error
                    finish = subject.target()
                    converge(finish, after, applied=before)
                    assert_holds(subject, after)
                    assert not plan(finish, after, applied=after), f"killed at call {number}: not settled"
                    survived = 0 if ended.killed else survived + 1
                if survived >= 2:  # both ways have fewer calls than this
                    break
        assert 2 < number < _MOST_CALLS - 1

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_killed_at_each_external_call_of_the_first_run(self, subject: Subject) -> None:
        """Nothing exists yet: what a killed first run leaves behind must be recognised as ours. Killed again and again, always
        one call later, without anything being cleaned up in between."""
        with killer(subject) as kill:
            for number in _moments(subject):
                ended = kill.converge(subject.first, applied=None, kill_at=number)
                assert not ended.error, ended.error
                if not ended.killed:
                    break
        assert_holds(subject, subject.first)
        assert not plan(subject.target(), subject.first, applied=subject.first)


class Conformance(Convergence, Killing):
    """What every kind inherits."""
