"""What is news, what waits, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_agent.journal import Journal
from gitops_agent.model import CommitStatus, StatusState
from tests.journal.entries import CONTEXT, ENVIRONMENT, finished, run, sha, status

PENDING, SUCCESS, FAILURE, ERROR, SKIPPED = (
    StatusState.PENDING,
    StatusState.SUCCESS,
    StatusState.FAILURE,
    StatusState.ERROR,
    StatusState.SKIPPED,
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    kept = Journal(tmp_path / "journal.sqlite3")
    yield kept
    kept.close()


def deliver(journal: Journal) -> list[tuple[StatusState, str]]:
    """Sends everything that waits, as a courier would."""
    delivered = []
    while items := journal.due(ENVIRONMENT):
        for item in items:
            assert journal.sending(item.id)
            journal.sent(item.id)
            delivered.append((item.status.state, item.status.description))
    return delivered


@pytest.mark.parametrize(
    ("said", "then", "news"),
    [
        ([], (PENDING, "reconciling"), True),
        ([], (FAILURE, "x"), True),
        ([], (SKIPPED, "superseded"), False),
        ([(PENDING, "reconciling")], (PENDING, "reconciling"), False),
        ([(PENDING, "reconciling")], (PENDING, "waiting for ci/test"), True),
        ([(PENDING, "reconciling")], (SUCCESS, "applied"), True),
        ([(PENDING, "reconciling")], (SKIPPED, "superseded"), True),
        ([(FAILURE, "x")], (FAILURE, "x"), False),
        ([(FAILURE, "x")], (FAILURE, "y"), True),
        ([(FAILURE, "x")], (ERROR, "x"), True),
        ([(FAILURE, "x")], (PENDING, "reconciling"), False),
        ([(FAILURE, "x")], (SKIPPED, "superseded"), False),
        ([(FAILURE, "x")], (SUCCESS, "applied"), True),
        ([(FAILURE, "x"), (SUCCESS, "applied")], (FAILURE, "x"), True),
        ([(SUCCESS, "applied; nginx: 1 updated")], (SUCCESS, "no changes"), False),
        ([(SUCCESS, "applied")], (PENDING, "reconciling"), False),
        ([(SUCCESS, "applied")], (SKIPPED, "superseded"), False),
    ],
)
def test_only_news_is_queued(
    journal: Journal, said: list[tuple[StatusState, str]], then: tuple[StatusState, str], news: bool
) -> None:
    """Failure modes 52 and 57: not a status a run, and the same failure once."""
    for state, description in said:
        journal.queue(ENVIRONMENT, status(1, state, description))
        deliver(journal)
    assert journal.queue(ENVIRONMENT, status(1, *then)) is news
    assert deliver(journal) == ([then] if news else [])
    assert journal.last(sha(1), CONTEXT) == (status(1, *then) if news else status(1, *said[-1]) if said else None)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(list(StatusState)), st.sampled_from(["x", "y"]), st.sampled_from("abc"), st.booleans()),
        max_size=12,
    )
)
@pytest.mark.slow
def test_whatever_happens_nothing_is_said_twice_in_a_row(events: list[tuple[StatusState, str, str, bool]]) -> None:
    with TemporaryDirectory() as directory:
        journal = Journal(Path(directory) / "journal.sqlite3")
        delivered: dict[str, list[tuple[StatusState, str]]] = {}

        def send_all() -> None:
            while items := journal.due(ENVIRONMENT):
                for item in items:
                    assert journal.sending(item.id)
                    journal.sent(item.id)
                    delivered.setdefault(item.status.context, []).append((item.status.state, item.status.description))

        last: dict[str, tuple[StatusState, str]] = {}
        for state, description, context, sent_before in events:
            if sent_before:
                send_all()
            if journal.queue(ENVIRONMENT, status(1, state, description, context)):
                last[context] = (state, description)
        send_all()
        for context, said in delivered.items():
            states = [state for state, _ in said]
            assert all(one != other for one, other in pairwise(said))
            assert all(before is PENDING for before, state in pairwise(states) if state is PENDING)
            assert all(before is PENDING for before, state in pairwise(states) if state is SKIPPED)
            assert said[-1] == last[context]
        journal.close()


def test_an_outcome_that_awaits_approval_takes_back_a_red_status_and_is_said_once(journal: Journal) -> None:
    journal.record(finished(1), [status(1, FAILURE, "no")])
    assert not journal.record(run(1), [status(1, PENDING, "awaits approval: 1")])
    for news in (True, False):
        assert journal.record(finished(1), [status(1, PENDING, "awaits approval: 1")]) is news
    assert deliver(journal) == [(FAILURE, "no"), (PENDING, "awaits approval: 1")]


def test_a_pending_that_was_never_sent_gives_way(journal: Journal) -> None:
    journal.record(run(1), [status(1, PENDING, "reconciling")])
    journal.record(finished(1), [status(1, FAILURE, "no")])
    assert deliver(journal) == [(FAILURE, "no")]
    assert journal.statuses(sha(1)) == [status(1, FAILURE, "no")]


def test_a_commit_overtaken_before_anything_was_sent_is_not_mentioned(journal: Journal) -> None:
    journal.queue(ENVIRONMENT, status(1, PENDING))
    assert not journal.queue(ENVIRONMENT, status(1, SKIPPED, "superseded by 2"))
    assert deliver(journal) == []
    assert journal.queue(ENVIRONMENT, status(1, PENDING)), "should it become the newest again, it is new"


def test_a_pending_that_may_have_been_sent_stays_in_front(journal: Journal) -> None:
    journal.queue(ENVIRONMENT, status(1, PENDING))
    (item,) = journal.due(ENVIRONMENT)
    journal.sending(item.id)
    journal.queue(ENVIRONMENT, status(1, SKIPPED, "superseded by 2"))
    (item,) = journal.due(ENVIRONMENT)
    assert (item.status.state, item.uncertain, item.attempts) == (PENDING, True, 1)
    journal.sent(item.id)
    assert deliver(journal) == [(SKIPPED, "superseded by 2")]


def test_what_was_dropped_while_it_was_being_read_is_not_sent(journal: Journal) -> None:
    journal.queue(ENVIRONMENT, status(1, PENDING))
    (item,) = journal.due(ENVIRONMENT)
    journal.queue(ENVIRONMENT, status(1, SUCCESS, "applied"))
    assert not journal.sending(item.id)


def test_order_is_kept_for_each_context_and_failed_ones_hold_up_no_others(journal: Journal) -> None:
    journal.queue(ENVIRONMENT, status(1, FAILURE, "x"))
    journal.queue(ENVIRONMENT, status(1, SUCCESS, "applied"))
    journal.queue(ENVIRONMENT, status(1, SUCCESS, "1 updated", f"{CONTEXT}/nginx"))
    first, other = journal.due(ENVIRONMENT)
    assert (first.status.description, other.status.description) == ("x", "1 updated")
    journal.postponed(first.id, 1000.0, "gitea cannot be reached")
    assert [item.status.description for item in journal.due(ENVIRONMENT)] == ["1 updated", "x"]
    assert [item.status.description for item in journal.due(ENVIRONMENT, now=999.0)] == ["1 updated"]
    assert journal.due(ENVIRONMENT)[1].error == "gitea cannot be reached"
    assert journal.waiting(ENVIRONMENT) == 3


def test_a_report_that_was_dropped_was_not_said(journal: Journal) -> None:
    """Failure mode 55."""
    journal.queue(ENVIRONMENT, status(1, SUCCESS, "applied"))
    (item,) = journal.due(ENVIRONMENT)
    journal.dropped(item.id, "the commit is gone")
    assert journal.due(ENVIRONMENT) == []
    assert journal.last(sha(1), CONTEXT) is None
    assert journal.statuses(sha(1)) == []


def test_commits_that_wait_for_their_outcome_are_known(journal: Journal) -> None:
    for number in (1, 2, 3):
        journal.queue(ENVIRONMENT, status(number, PENDING))
    journal.queue("other", status(4, PENDING, context="gitops/other"))
    deliver(journal)
    journal.queue(ENVIRONMENT, status(2, SUCCESS, "applied"))
    assert [waiting.sha for waiting in journal.pending(ENVIRONMENT)] == [sha(1), sha(3)]


def test_the_first_commit_a_journal_hears_of_is_looked_up(journal: Journal) -> None:
    """The journal before it may have been lost, and the agent before it may have reported that commit."""
    journal.record(run(1), [status(1, PENDING)])
    assert [item.uncertain for item in journal.due(ENVIRONMENT)] == [True]
    deliver(journal)
    journal.record(run(2), [status(2, PENDING)])
    assert [item.uncertain for item in journal.due(ENVIRONMENT)] == [False]


def test_a_run_and_its_reports_are_written_together_or_not_at_all(journal: Journal) -> None:
    """Failure mode 51: a run whose outcome is known has its report, whatever stops the agent in between."""
    broken = CommitStatus(sha(1), CONTEXT, SUCCESS, None)  # type: ignore[arg-type] -- what a disk that is full does, here
    with pytest.raises(Exception, match="journal"):
        journal.record(finished(1), [status(1, FAILURE, "no", f"{CONTEXT}/nginx"), broken])
    journal = Journal(journal._path)
    assert journal.run("run-1") is None
    assert journal.due(ENVIRONMENT) == []
    journal.close()
