"""When to run: the rules one by one, and as properties over any sequence of events."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_agent.errors import ApplyFailed, InvalidRevision, UnsafePlan
from gitops_agent.model import Revision
from gitops_agent.worker.restoring import Restored
from gitops_agent.worker.schedule import RESTORE, Decision, Schedule, back_off

A, B, C = (Revision("main", letter * 40) for letter in "abc")


def schedule(**options: bool) -> Schedule:
    return Schedule(poll=60, resync=600, rng=random.Random(7), **options)


def run(
    schedule: Schedule,
    now: float,
    head: Revision | None,
    applied: Revision | None = None,
    *,
    error: Exception | None = None,
    trigger: str = "webhook",
    rejected: bool = False,
) -> Decision | None:
    """One turn of the worker, without a worker: decide, and if so start and end."""
    decision = schedule.decide(now, head, applied, rejected=rejected, trigger=trigger)
    if decision is not None:
        schedule.started(decision, of_head=decision.revision == head)
        schedule.ended(now, error)
    return decision


def test_a_new_revision_runs_at_once_and_whole():
    assert run(schedule(), 0, A) == Decision(A, "webhook", whole=True)


def test_a_ring_without_news_runs_nothing():
    asked = schedule()
    run(asked, 0, A)
    assert run(asked, 1, A, A) is None


def test_a_failed_revision_is_retried_after_the_back_off_and_no_ring_shortens_it():
    asked = schedule()
    run(asked, 0, A, error=ApplyFailed("no"))
    assert run(asked, 1, A) is None
    assert run(asked, 2.5, A) == Decision(A, "retry", whole=True)


def test_a_new_revision_and_a_sync_shorten_the_back_off():
    asked = schedule()
    run(asked, 0, A, error=ApplyFailed("no"))
    assert run(asked, 0.1, B, error=ApplyFailed("no")) == Decision(B, "webhook", whole=True)
    asked.sync()
    assert run(asked, 0.2, B) == Decision(B, "sync", whole=True)


@pytest.mark.parametrize("error", [InvalidRevision("line 3"), UnsafePlan("deletes all")])
def test_the_authors_mistake_is_never_retried_but_a_sync_tries_it_again(error):
    asked = schedule()
    run(asked, 0, A, error=error)
    assert run(asked, 100_000, A) is None
    asked.sync()
    assert run(asked, 100_001, A) == Decision(A, "sync", whole=True)


def test_while_head_is_no_good_the_systems_are_held_at_what_was_applied():
    asked = schedule()
    run(asked, 0, A)
    run(asked, 1, B, A, error=InvalidRevision("line 3"))
    asked.drifted(2, "nginx file changed")
    assert run(asked, 3, B, A) == Decision(A, "drift: nginx file changed", whole=False)
    assert run(asked, 4, B, A) is None, "holding A must not make B look new"
    assert run(asked, 1000, B, A) == Decision(A, "resync", whole=False)


def test_a_rejected_head_is_held_against_from_the_first_turn_on():
    assert run(schedule(), 0, B, A, rejected=True) == Decision(A, "resync", whole=False)


def test_with_the_source_away_at_start_what_was_applied_is_kept_up():
    """Failure mode 5."""
    asked = schedule(clean=True)
    assert run(asked, 0, None, A) == Decision(A, "resync", whole=False)
    assert run(asked, 1, None, A) is None


def test_a_start_on_what_is_applied_only_looks_for_drift():
    assert run(schedule(clean=True), 0, A, A, trigger="start") == Decision(A, "start", whole=False)


def test_a_start_after_a_run_that_did_not_succeed_applies_everything():
    assert run(schedule(clean=False), 0, A, A, trigger="start") == Decision(A, "start", whole=True)


def test_going_back_to_the_applied_commit_after_a_failed_one_applies_everything():
    """A force-push to the applied commit: what the failed one left behind is no drift (failure mode 49)."""
    asked = schedule()
    run(asked, 0, A)
    run(asked, 1, B, A, error=ApplyFailed("half-way"))
    assert run(asked, 2, A, A) == Decision(A, "webhook", whole=True)


def test_a_burst_of_live_events_is_one_run():
    asked = schedule()
    run(asked, 0, A)
    for moment in range(5):
        asked.drifted(10 + moment / 100, "nginx")
    assert run(asked, 10.05, A, A) is None
    assert run(asked, 10.4, A, A) == Decision(A, "drift: nginx", whole=False)
    assert run(asked, 10.5, A, A) is None


def test_who_undoes_our_work_again_and_again_is_healed_ever_more_rarely():
    asked = schedule()
    run(asked, 0, A)
    now, gaps = 10.0, []
    for _ in range(5):
        asked.drifted(now, "nginx")
        asked.looked(now, reached=True)
        due = asked.due()
        gaps.append(due - now)
        decision = asked.decide(due, A, A, rejected=False, trigger="poll")
        asked.started(decision, of_head=True)
        asked.ended(due, None, healed=True)
        now = due
    assert gaps[0] < 1
    assert gaps[-1] > 10
    assert gaps == sorted(gaps)


def test_a_source_that_cannot_be_reached_is_asked_again_sooner_than_the_next_poll():
    asked = schedule()
    asked.looked(0, reached=False)
    assert not asked.look(1, rung=False)
    assert asked.look(3, rung=False)
    asked.looked(3, reached=True)
    assert not asked.look(50, rung=False)
    assert asked.look(64, rung=False)


def test_a_superseded_run_leaves_the_way_free_for_the_newest():
    asked = schedule()
    decision = asked.decide(0, A, None, rejected=False, trigger="webhook")
    asked.started(decision, of_head=True)
    asked.abandoned()
    assert run(asked, 0, B) == Decision(B, "webhook", whole=True)


def test_back_off_grows_from_two_seconds_to_five_minutes():
    rng = random.Random(1)
    delays = [back_off(failures, rng) for failures in range(1, 12)]
    assert 1.6 <= delays[0] <= 2.4
    assert all(240 <= delay <= 360 for delay in delays[-3:])


def test_with_nothing_to_hold_and_nothing_to_try_it_sleeps():
    """An empty repository at the first start; a first commit that is no good; a failed one that waits for its retry."""
    asked = schedule()
    asked.looked(0, reached=False)
    assert run(asked, 0, None, None) is None
    assert asked.due() > 0.5
    run(asked, 1, A, None, error=InvalidRevision("no"))
    asked.looked(1000, reached=True)
    assert run(asked, 1000, A, None) is None
    assert asked.due() > 1050
    run(asked, 2000, B, A, error=ApplyFailed("no"))
    asked.drifted(2000.1, "nginx")
    asked.looked(2000.5, reached=True)
    assert run(asked, 2000.5, B, A) is None
    assert asked.due() > 2001


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["push", "ring", "sync", "drift", "fail", "mistake", "wait"]),
        st.sampled_from([A, B, C]),
        st.floats(0, 400),
    ),
    max_size=40,
)


@pytest.mark.slow
@given(EVENTS)
@settings(max_examples=300)
def test_newest_wins_whatever_happens(events):
    """After any history, a revision that was never tried is run on the next turn, and nothing runs twice in the same instant."""
    asked, now, head, applied, tried = schedule(), 0.0, A, None, set()
    endings = {"fail": ApplyFailed("no"), "mistake": InvalidRevision("no")}
    for event, revision, delay in events:
        now += delay
        error = endings.get(event)
        head = revision if event == "push" else head
        if event == "sync":
            asked.sync()
        elif event == "drift":
            asked.drifted(now, "something")
        before = asked.attempted
        asked.looked(now, reached=True)
        decision = run(asked, now, head, applied, error=error)
        if decision is None:
            assert asked.due() > now, "or the worker would never sleep"
        if event == "push" and head != before and head not in tried:
            assert decision is not None
            assert decision.revision == head
        if decision is not None:
            assert decision.revision in {head, applied}
            tried.add(decision.revision)
            if error is None:
                applied = decision.revision
            assert run(asked, now, head, applied) is None or error is not None or decision.revision != head


def test_a_way_back_that_was_cut_short_goes_on_unless_there_is_a_newer_head():
    asked = schedule()
    cut_short = asked.decide(0, B, A, rejected=True, trigger="start", restoring=True)
    assert cut_short == Decision(A, RESTORE, whole=True)
    asked.started(cut_short, of_head=False)
    asked.ended(0, Restored("brought back"))
    assert asked.decide(1, B, A, rejected=True, trigger="poll") is None
    assert schedule().decide(0, C, A, rejected=False, trigger="start", restoring=True) == Decision(C, "start", whole=True)


def test_without_a_revision_to_hold_the_systems_at_nothing_runs():
    asked = schedule()
    for now in (0, 1000, 10_000):
        assert asked.decide(now, B, None, rejected=True, trigger="poll") is None
        assert asked.due() > now or asked.look(now, rung=False)


def test_a_restored_revision_is_not_retried_and_keeps_nobody_awake():
    asked = schedule()
    run(asked, 0, B, A, error=Restored("brought back"))
    asked.looked(0, reached=True)
    assert run(asked, 10, B, A, rejected=True) is None
    assert asked.due() > 10
