"""Reports arrive: in order, none twice, none missing, whatever Gitea does."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed
from gitops_agent.journal import Journal, JournalLost
from gitops_agent.model import CommitStatus, StatusState
from gitops_agent.report import Outbox
from gitops_agent.report.courier import Pace
from tests.fakes.gitea import FakeGitea
from tests.journal.entries import finished, run
from tests.report.world import CONTEXT, ENVIRONMENT, QUICK, World, serve, status

PENDING, SUCCESS, FAILURE, SKIPPED = StatusState.PENDING, StatusState.SUCCESS, StatusState.FAILURE, StatusState.SKIPPED


@pytest.fixture
def server() -> Iterator[FakeGitea]:
    fake = serve()
    yield fake
    fake.stop()


@pytest.fixture
def world(tmp_path: Path, server: FakeGitea, request: pytest.FixtureRequest) -> Iterator[World]:
    # An environment of its own: metrics are the process's.
    begun = World.begin(tmp_path, server, environment=request.node.name)
    yield begun
    begun.end()


def test_reports_arrive_in_order(world: World) -> None:
    world.outbox.start()
    world.say(1, PENDING)
    assert world.outbox.drain(5)
    world.say(1, FAILURE, "nginx: unknown directive")
    world.say(1, FAILURE, "nginx: unknown directive", f"{CONTEXT}/nginx")
    world.say(1, SUCCESS)
    assert world.outbox.drain(5)
    assert world.said(1) == ["pending", "failure", "success"]
    assert world.said(1, f"{CONTEXT}/nginx") == ["failure"]
    assert world.results() == {"sent": 4}


def test_what_an_earlier_agent_left_is_sent_at_start(world: World) -> None:
    world.say(1, SUCCESS)
    world.say(2, SUCCESS)
    world.outbox.start()
    assert world.outbox.drain(5)
    assert (world.said(1), world.said(2)) == (["success"], ["success"])


@pytest.mark.parametrize("times", [1, 3])
def test_an_answer_that_was_lost_is_looked_up_not_sent_again(world: World, times: int) -> None:
    """The POST was stored, the connection died: sent again it would be there twice."""
    world.server.trouble.drop_answers = times
    world.outbox.start()
    for number in range(times):
        world.say(number, SUCCESS)
    assert world.outbox.drain(5)
    assert [world.said(number) for number in range(times)] == [["success"]] * times
    assert world.results()["found"] == times


def test_a_lost_answer_is_not_mistaken_for_an_older_report_with_the_same_words(world: World) -> None:
    world.outbox.start()
    for state in (FAILURE, SUCCESS):
        world.say(1, state, "the same words")
    assert world.outbox.drain(5)
    world.server.trouble.fail = 1  # lost on the way there, not on the way back
    world.say(1, FAILURE, "the same words")
    assert world.outbox.drain(5)
    assert world.said(1) == ["failure", "success", "failure"]


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_gitea_in_trouble_is_asked_again_later(world: World, code: int) -> None:
    """Failure mode 53."""
    world.server.trouble.status, world.server.trouble.fail = code, 7
    world.outbox.start()
    for number in range(5):
        world.say(number, SUCCESS)
    assert world.server.wait(lambda: world.server.trouble.fail == 0)
    assert world.outbox.drain(5)
    assert [world.said(number) for number in range(5)] == [["success"]] * 5


def test_a_request_to_slow_down_is_obeyed(world: World) -> None:
    """Failure mode 53: 429 and Retry-After; nothing is asked in the meantime, not for other commits either."""
    world.server.trouble.status, world.server.trouble.fail, world.server.trouble.retry_after = 429, 1, "1"
    world.outbox.start()
    world.say(1, SUCCESS)
    assert world.server.wait(lambda: len(world.server.requests) == 1)
    world.say(2, SUCCESS)
    assert world.server.wait(lambda: len(world.server.requests) > 1)
    assert world.server.requests[1].at - world.server.requests[0].at >= 0.95
    assert world.server.wait(lambda: world.said(1) == world.said(2) == ["success"])


def test_while_gitea_is_down_it_is_asked_rarely_and_said_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Failure modes 5 and 57: ten minutes without Gitea are not ten thousand requests, nor lines of log."""
    caplog.set_level(logging.INFO)
    world.server.stop()
    world.outbox.start()
    for number in range(50):
        world.say(number, SUCCESS)
    assert not world.outbox.drain(0.6)
    attempts = world.results()["postponed"]
    assert 2 <= attempts <= 30, "one for all of them now and then, not one for each"
    world.server.start()
    assert world.outbox.drain(10)
    assert [world.said(number) for number in range(50)] == [["success"]] * 50
    said = [record.message for record in caplog.records if record.name.startswith("gitops_agent.report")]
    assert said == ["reports wait, runs go on", "reports are sent again"]


def test_a_commit_that_is_gone_is_no_reason_to_wait(world: World) -> None:
    """Failure mode 55."""
    world.say(999, SUCCESS)
    world.say(1, SUCCESS)
    world.outbox.start()
    assert world.outbox.drain(5)
    assert world.said(1) == ["success"]
    assert world.results() == {"dropped": 1, "sent": 1}


def test_a_token_without_the_scope_is_said_aloud_and_a_better_one_is_used(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Failure mode 54."""
    world.server.tokens.clear()
    (world.directory / "token").write_text(world.server.add_token("a-token-that-may-only-read", "read:repository"))
    world.outbox.start()
    world.say(1, SUCCESS)
    assert world.server.wait(lambda: world.server.count("GET") >= 3)
    (error,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "required=[write:repository], token scope=read:repository" in error.__dict__["why"]
    assert error.__dict__["must act"] == "operator"
    (world.directory / "token").write_text(world.server.add_token("a-token-that-may-write"))
    assert world.server.wait(lambda: world.said(1) == ["success"])


def test_a_token_refused_once_alarms_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Seen on 1.26.3: while it shuts down it answers 401 to a good token."""
    world.server.trouble.status, world.server.trouble.fail = 401, 1
    world.outbox.start()
    world.say(1, SUCCESS)
    assert world.outbox.drain(5)
    assert world.said(1) == ["success"]
    assert [record.levelname for record in caplog.records if record.name.startswith("gitops_agent.report")] == ["WARNING"]


def test_the_first_commit_after_a_lost_journal_is_looked_up(world: World) -> None:
    world.outbox.start()
    world.say(1, SUCCESS)
    assert world.outbox.drain(5)
    world.end()
    for file in world.directory.glob("journal.*"):
        file.unlink()
    again = World.begin(world.directory, world.server)
    again.outbox.start()
    again.say(1, SUCCESS)
    assert again.outbox.drain(5)
    assert again.said(1) == ["success"]
    again.end()


def test_an_environment_whose_gitea_hangs_holds_up_no_other(tmp_path: Path, server: FakeGitea) -> None:
    """Failure mode 50."""
    hanging = serve()
    hanging.trouble.delay = 1.5
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    slow = World.begin(tmp_path / "one", hanging)
    fast = World.begin(tmp_path / "two", server)
    both = Outbox(slow.journal, {"slow": _of(slow), "fast": _of(fast)}, QUICK)
    both.start()
    slow.journal.queue("slow", status(1, SUCCESS))
    both.ring()
    assert hanging.wait(lambda: hanging.requests)
    slow.journal.queue("fast", status(2, SUCCESS))
    both.ring()
    assert server.wait(lambda: fast.said(2) == ["success"], timeout=1.0)
    hanging.trouble.delay = 0
    both.close()
    for world in (slow, fast):
        world.end()
    hanging.stop()


def _of(world: World) -> _Destination:
    return world.outbox._couriers[0]._destination


class _Destination:
    """Takes everything but what `refuses` says."""

    def __init__(self, refuses: dict[str, Exception] | None = None) -> None:
        self.refuses = refuses or {}
        self.got: list[str] = []

    def send(self, status: CommitStatus) -> None:
        if status.description in self.refuses:
            raise self.refuses[status.description]
        self.got.append(status.description)

    def knows(self, status: CommitStatus) -> bool:
        return status.description in self.got


@pytest.mark.parametrize("error", [ApplyFailed("gitea answered 422"), ValueError("a bug of ours")])
def test_a_report_that_cannot_be_sent_holds_up_no_other(tmp_path: Path, error: Exception) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    destination = _Destination({"bad": error})
    outbox = Outbox(journal, {ENVIRONMENT: destination}, Pace(first=0.01, longest=0.02))
    outbox.start()
    journal.queue(ENVIRONMENT, status(1, SUCCESS, "bad"))
    outbox.ring()
    for number in range(2, 12):
        journal.queue(ENVIRONMENT, status(number, SUCCESS, str(number)))
        outbox.ring()
    assert not outbox.drain(0.5)
    assert sorted(destination.got, key=int) == [str(number) for number in range(2, 12)]
    destination.refuses.clear()
    assert outbox.drain(5), "it is tried again, and sent when it can be"
    outbox.close()
    journal.close()


def test_a_clock_that_is_set_back_does_not_stop_reports(tmp_path: Path) -> None:
    """Failure mode 66: what was postponed for seconds must not wait for the hours the clock lost."""
    journal = Journal(tmp_path / "journal.sqlite3")
    journal.queue(ENVIRONMENT, status(1, SUCCESS, "applied"))
    (item,) = journal.due(ENVIRONMENT)
    journal.postponed(item.id, time.time() + 7200, "gitea cannot be reached")
    destination = _Destination()
    outbox = Outbox(journal, {ENVIRONMENT: destination}, Pace())
    outbox.start()
    assert outbox.drain(5)
    assert destination.got == ["applied"]
    outbox.close()
    journal.close()


def test_at_the_end_it_delivers_what_it_can_and_leaves_no_thread(world: World) -> None:
    before = threading.active_count()
    world.outbox.start()
    world.journal.queue(world.environment, status(1, SUCCESS))  # nobody rings: the agent is on its way out
    world.outbox.close()
    assert world.said(1) == ["success"]
    world.server.wait(lambda: threading.active_count() <= before + 2)
    assert not [thread for thread in threading.enumerate() if thread.name == f"reports {world.environment}"]


def test_at_the_end_it_does_not_wait_for_a_gitea_that_is_away(tmp_path: Path, server: FakeGitea) -> None:
    server.stop()
    world = World.begin(tmp_path, server, pace=Pace())
    world.outbox.start()
    world.say(1, SUCCESS)
    began = time.monotonic()
    world.outbox.close(timeout=1.5)
    assert time.monotonic() - began < 1.0, "the next attempt is two seconds away"
    world.journal.close()


def test_a_lost_journal_stops_reports_until_it_is_back(world: World) -> None:
    """The run goes on; that is the worker's. Here: what it could not record is sent all the same, once that is possible."""
    world.journal.record(run(1, world.environment), [status(1, PENDING)])
    world.outbox.start()
    assert world.outbox.drain(5)
    somebody = sqlite3.connect(world.directory / "journal.sqlite3")
    somebody.execute("BEGIN EXCLUSIVE")
    with pytest.raises(JournalLost):
        world.journal.record(finished(1, world.environment), [status(1, FAILURE, "no")])
    assert not world.outbox.drain(0.3)
    somebody.close()
    assert world.outbox.drain(5)
    assert world.said(1) == ["pending", "failure"]
