"""The tests. A kind inherits them; see the package's docstring."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import pytest

from gitops_agent import secret
from gitops_agent.errors import InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Action, Files, HealthStatus
from gitops_agent.secret import Secret
from gitops_agent.target import Target
from tests.conformance.converge import CANARY, converge, plan
from tests.conformance.killing import killer
from tests.conformance.subject import KEY, REFERENCE, Seen, Subject

_MOST_CALLS = 500
"""Kill points after which something must be wrong."""


def _eventually(condition: Callable[[], bool], within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s"
        time.sleep(0.02)


class Conformance:
    @pytest.fixture
    def subject(self) -> Subject:
        """Overridden by every kind."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _others_are_left_alone(self, subject: Subject) -> Iterator[None]:
        """Foreign things untouched: after every single test, not even their version has changed."""
        before = _others(subject)
        assert set(before) == subject.bystanders, "the subject promises bystanders that it does not show"
        yield
        assert _others(subject) == before

    def test_the_first_run_brings_everything(self, subject: Subject) -> None:
        target = subject.target()
        made = converge(target, subject.first)
        assert {change.action for change in made} == {Action.CREATE}
        _assert_holds(subject, subject.first)
        _assert_becomes_healthy(target, subject)

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
        _assert_holds(subject, subject.second)
        converge(subject.target(), subject.first, applied=subject.second)
        _assert_holds(subject, subject.first)

    def test_a_removed_field_is_seen(self, subject: Subject) -> None:
        converge(subject.target(), subject.first)
        made = converge(subject.target(), subject.without, applied=subject.first)
        assert [change.action for change in made] == [Action.UPDATE]
        _assert_holds(subject, subject.without)

    def test_nothing_left_in_the_folder_is_refused(self, subject: Subject) -> None:
        """Failure modes 14 and 30: all is never pruned without consent. A kind may call an empty folder invalid."""
        converge(subject.target(), subject.first)
        made = None
        try:
            made = plan(subject.target(), {}, applied=subject.first)
        except InvalidRevision:
            return
        with pytest.raises(UnsafePlan):
            _guarded(made)

    def test_cut_short_after_each_batch_then_converges(self, subject: Subject) -> None:
        converge(subject.target(), subject.first)
        batches = 0
        for batches in range(1, _MOST_CALLS):
            converge(subject.target(), subject.second, applied=subject.first, batches=batches)
            done = not plan(subject.target(), subject.second, applied=subject.first)
            converge(subject.target(), subject.second, applied=subject.first)
            _assert_holds(subject, subject.second)
            converge(subject.target(), subject.first, applied=subject.second)
            _assert_holds(subject, subject.first)
            if done:
                break
        assert batches >= 1

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_killed_at_each_external_call_then_converges(self, subject: Subject) -> None:
        """Failure mode 64. Both ways, so that creating, updating and deleting are each cut short everywhere."""
        converge(subject.target(), subject.first)
        with killer(subject) as kill:
            for before, after in ((subject.first, subject.second), (subject.second, subject.first)):
                for number in range(1, _MOST_CALLS):
                    ended = kill.converge(after, applied=before, kill_at=number)
                    assert not ended.error, ended.error
                    finish = subject.target()
                    converge(finish, after, applied=before)
                    _assert_holds(subject, after)
                    assert not plan(finish, after, applied=after), f"killed at call {number}: not settled"
                    if not ended.killed:
                        break
                    converge(finish, before, applied=after)
                assert 1 < number < _MOST_CALLS - 1

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_killed_at_each_external_call_of_the_first_run(self, subject: Subject) -> None:
        """Nothing exists yet: what a killed first run leaves behind must be recognised as ours. Killed again and again, always
        one call later, without anything being cleaned up in between."""
        with killer(subject) as kill:
            for number in range(1, _MOST_CALLS):
                ended = kill.converge(subject.first, applied=None, kill_at=number)
                assert not ended.error, ended.error
                if not ended.killed:
                    break
        _assert_holds(subject, subject.first)
        assert not plan(subject.target(), subject.first, applied=subject.first)

    def test_the_same_without_mark_is_adopted_and_not_written(self, subject: Subject) -> None:
        _plant(subject, subject.first)
        seen, writes = subject.look(), subject.writes()
        made = converge(subject.target(), subject.first)
        assert {change.action for change in made} == {Action.ADOPT}
        assert (subject.look(), subject.writes()) == (seen, writes)
        assert not plan(subject.target(), subject.first, applied=subject.first), "being what was applied is the mark"

    def test_something_else_without_mark_is_refused(self, subject: Subject) -> None:
        _plant(subject, subject.first)
        seen = subject.look()
        with pytest.raises(UnsafePlan, match="not ours"):
            converge(subject.target(), subject.second)
        assert subject.look() == seen

    def test_something_else_without_mark_is_taken_over_when_told(self, subject: Subject) -> None:
        _plant(subject, subject.first)
        converge(subject.target(adopt=True), subject.second)
        expected = subject.expected(subject.second)
        seen = subject.look()
        assert {name: seen[name].content for name in expected} == expected

    def test_adopted_then_changed_is_marked(self, subject: Subject) -> None:
        _plant(subject, subject.first)
        converge(subject.target(), subject.first)
        made = converge(subject.target(), subject.without, applied=subject.first)
        assert [change.action for change in made] == [Action.UPDATE]
        (changed,) = [change.name for change in made]
        # Without history only a mark says that it is ours.
        assert changed not in [change.name for change in plan(subject.target(), subject.without)]

    def test_adopted_then_removed_is_pruned(self, subject: Subject) -> None:
        _plant(subject, subject.first)
        converge(subject.target(), subject.first)
        made = converge(subject.target(), subject.second, applied=subject.first)
        assert Action.DELETE in {change.action for change in made}
        _assert_holds(subject, subject.second)

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
        _assert_holds(subject, subject.first)

    def test_what_was_removed_by_hand_comes_back(self, subject: Subject) -> None:
        converge(subject.target(), subject.first)
        _or_skip(subject.vandalise)
        converge(subject.target(), subject.first, applied=subject.first)
        _assert_holds(subject, subject.first)

    def test_sickness_shows_and_passes(self, subject: Subject) -> None:
        converge(subject.target(), subject.first)
        target = subject.target()
        _assert_becomes_healthy(target, subject)
        with _or_skip(subject.ailing):
            _eventually(lambda: not _is_well(target, subject), subject.patience, "sickness seen")
        _assert_becomes_healthy(target, subject)

    def test_a_secret_is_applied_kept_and_never_shown(self, subject: Subject) -> None:
        """Failure mode 59."""
        files = _or_skip(lambda: subject.with_secret(secret.placeholder(Secret(REFERENCE), KEY)))
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

    def test_watch_rings_for_others_and_not_for_ever(self, subject: Subject) -> None:
        target = subject.target()
        if type(target).watch is Target.watch:
            pytest.skip("this kind has no events")
        converge(target, subject.first)
        with _watching(target) as rings:
            subject.tamper()
            _eventually(lambda: bool(rings), 15, "a ring")
            # As the worker does: look, mend, look again, until it is quiet. Own writes may ring once, looking may not.
            converge(target, subject.first, applied=subject.first)
            _assert_holds(subject, subject.first)
            quiet_since = time.monotonic()
            heard = len(rings)
            looks = 0
            while time.monotonic() - quiet_since < 1.0:
                assert not plan(target, subject.first, applied=subject.first)
                looks += 1
                assert looks < 200, "observing rings its own bell for ever"
                if len(rings) != heard:
                    heard, quiet_since = len(rings), time.monotonic()


def _others(subject: Subject) -> Mapping[str, Seen]:
    return {name: seen for name, seen in subject.look().items() if name in subject.bystanders}


def _assert_holds(subject: Subject, files: Files) -> None:
    seen = {name: thing.content for name, thing in subject.look().items() if name not in subject.bystanders}
    assert seen == dict(subject.expected(files))


def _is_well(target: Target, subject: Subject) -> bool:
    try:
        plan(target, subject.first, applied=subject.first)
        return target.health().status is HealthStatus.HEALTHY
    except Unavailable:
        return False


def _assert_becomes_healthy(target: Target, subject: Subject) -> None:
    deadline = time.monotonic() + subject.patience
    while (health := target.health()).status is not HealthStatus.HEALTHY:
        assert time.monotonic() < deadline, health.reason
        assert health.reason, "what is not healthy says why"
        time.sleep(0.05)


def _guarded(made: Any) -> None:
    from gitops_agent.plan import Limits, guard

    guard(made, Limits())


def _or_skip(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except NotImplementedError:
        pytest.skip("this kind cannot have that")


def _plant(subject: Subject, files: Files) -> None:
    _or_skip(lambda: subject.plant(files))


@contextmanager
def _watching(target: Target) -> Iterator[list[str]]:
    """Collects rings from a thread, as the agent does; ready once the watch has said that it is there, or after a moment."""
    rings: list[str] = []
    ready, stop = threading.Event(), threading.Event()

    def listen() -> None:
        with closing(target.watch()) as watch:  # type: ignore[type-var]  # a generator where it is overridden
            for reason in watch:
                ready.set()
                if reason:
                    rings.append(reason)
                if stop.is_set():
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    ready.wait(10)
    rings.clear()
    try:
        yield rings
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "watch blocks for longer than a few seconds"
