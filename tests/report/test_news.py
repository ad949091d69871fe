"""What is worth telling, run by run."""

from __future__ import annotations

from gitops_agent.model import Outcome, Revision, Run
from gitops_agent.report.news import Told, after, telling

A, B = (Revision("main", letter * 40, "subject", "Ann") for letter in "ab")
OK, FAILED, ERROR, AWAITING, OVERTAKEN = Outcome.SUCCESS, Outcome.FAILURE, Outcome.ERROR, Outcome.AWAITING, Outcome.SUPERSEDED


def run(revision: Revision, outcome: Outcome, *, drift: bool = False) -> Run:
    return Run("id", "mini", "poll", revision, 0.0, outcome=outcome, message="what was said", drift=drift)


def titles(*runs: Run) -> list[str]:
    """What people hear who are told at once."""
    told, heard = Told(), []
    for each in runs:
        known = after(told, each)
        news = telling(told, known, each, "http://agent/runs/id")
        told = known
        if news is not None:
            heard.append(news.title.removeprefix("mini: "))
    return heard


def test_success_after_success_is_no_news() -> None:
    assert titles(run(A, OK), run(B, OK), run(B, OK, drift=True)) == []


def test_a_repeated_failure_is_told_once_and_its_end_once() -> None:
    """Failure mode 57."""
    assert titles(run(A, FAILED), run(A, FAILED), run(A, ERROR), run(A, OK), run(A, OK)) == ["failure", "recovered"]


def test_each_commit_that_fails_is_news() -> None:
    assert titles(run(A, ERROR), run(B, ERROR), run(B, OVERTAKEN)) == ["error", "error"]


def test_that_drift_is_healed_while_the_head_is_no_good_is_no_recovery() -> None:
    assert titles(run(B, ERROR), run(A, OK, drift=True)) == ["error"]
    assert titles(run(B, ERROR), run(A, FAILED, drift=True), run(A, OK, drift=True)) == ["error", "failure"]
    assert titles(run(A, FAILED, drift=True), run(A, OK, drift=True)) == ["failure", "recovered"]
    assert titles(run(A, FAILED), run(A, OK, drift=True)) == ["failure", "recovered"]


def test_that_somebody_is_waited_for_is_told_once() -> None:
    assert titles(run(A, AWAITING), run(A, AWAITING), run(A, OK)) == ["awaits approval"]
    assert titles(run(A, FAILED), run(B, AWAITING), run(B, OK)) == ["failure", "awaits approval", "recovered"]


def test_a_message_says_what_and_where() -> None:
    news = telling(Told(), Told(commit=A.sha), run(A, FAILED), "http://agent/runs/id")
    assert news is not None
    assert (news.title, news.body) == ("mini: failure", "what was said\nmain aaaaaaaaaa subject (Ann)\nhttp://agent/runs/id")
    assert not news.good
