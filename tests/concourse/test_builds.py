"""One-off builds, on a fake that runs their commands and on a real Concourse."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable

import pytest
import requests

from gitops_agent.concourse import Builds, BuildStatus, Session, git, in_order, task
from gitops_agent.concourse.events import events
from gitops_agent.errors import Unavailable
from gitops_agent.secret import SHOWN, remember
from tests.concourse.conftest import TASK, Server, running
from tests.conformance.holding import eventually
from tests.fakes.concourse import FakeConcourse


def never() -> bool:
    return False


def test_a_build_succeeds(builds: Builds) -> None:
    verdict = builds.start(running("echo one; echo two")).follow(never, 30)
    assert (verdict.status, verdict.good, verdict.log, verdict.reason) == (BuildStatus.SUCCEEDED, True, "one\ntwo\n", "")


def test_a_task_that_fails_says_why(builds: Builds) -> None:
    build = builds.start(running("echo no such key: nginx; exit 3"))
    verdict = build.follow(never, 30)
    assert (verdict.status, verdict.good) == (BuildStatus.FAILED, False)
    assert (verdict.log, verdict.reason) == ("no such key: nginx\n", "exit status 3")
    assert build.status() is BuildStatus.FAILED


def test_what_concourse_says_of_an_image_is_not_the_tasks(fake: FakeConcourse, log_in: Callable[..., Session]) -> None:
    """Otherwise it would be the last line of one that fails and says nothing."""
    image = {"image_resource": {"type": "registry-image", "source": {"repository": "checkers"}}}
    plan = in_order(task("check", {"platform": "linux", **image, "run": {"path": "sh", "args": ["-c", "exit 3"]}}))
    verdict = Builds(log_in(fake.url)).start(plan).follow(never, 30)
    assert (verdict.status, verdict.log, verdict.reason) == (BuildStatus.FAILED, "", "exit status 3")


def test_what_concourse_cannot_do_is_errored(builds: Builds) -> None:
    verdict = builds.start(in_order(task("check", {"platform": "linux", "run": {"path": "true"}}))).follow(never, 30)
    assert (verdict.status, verdict.good) == (BuildStatus.ERRORED, False)
    assert verdict.reason


def test_a_slow_build_is_aborted_at_its_limit(builds: Builds) -> None:
    build = builds.start(running("echo begun; sleep 60"))
    started = time.monotonic()
    verdict = build.follow(never, 1.2)
    assert (verdict.overdue, verdict.stopped, verdict.good) == (True, False, False)
    assert time.monotonic() - started < 10
    eventually(lambda: build.status() is BuildStatus.ABORTED, 20, "aborted")


def test_a_build_is_aborted_when_told_to_stop(builds: Builds) -> None:
    """A newer commit arrived while it ran."""
    told = threading.Event()
    build = builds.start(running("echo begun; sleep 60"))
    threading.Timer(0.5, told.set).start()
    verdict = build.follow(told.is_set, 30)
    assert (verdict.stopped, verdict.overdue) == (True, False)
    eventually(lambda: build.status() is BuildStatus.ABORTED, 20, "aborted")


def test_a_talkative_build_is_stopped_too(builds: Builds) -> None:
    build = builds.start(running("while echo again; do sleep 0.05; done"))
    verdict = build.follow(never, 1.2)
    assert verdict.overdue
    assert "again\nagain\n" in verdict.log


def test_a_silent_build_is_waited_for(builds: Builds) -> None:
    """It says nothing for longer than the stream of events is listened to."""
    verdict = builds.start(running("echo before; sleep 1.6; echo after")).follow(never, 30)
    assert (verdict.status, verdict.log) == (BuildStatus.SUCCEEDED, "before\nafter\n")


def test_a_build_that_ended_before_is_found_again(builds: Builds) -> None:
    number = builds.start(running("echo done")).number
    builds.find(number).follow(never, 30)
    verdict = builds.find(number).follow(never, 30)
    assert (verdict.status, verdict.log) == (BuildStatus.SUCCEEDED, "done\n")


def test_secrets_and_colours_are_not_in_a_log(builds: Builds) -> None:
    """Failure mode 59."""
    remember("hunter2-of-the-build")
    verdict = builds.start(running(r"printf '\033[31mhunter2-of-the-build\033[0m\n'")).follow(never, 30)
    assert verdict.log == f"{SHOWN}\n"


def test_a_progress_meter_leaves_its_last_word(builds: Builds) -> None:
    verdict = builds.start(running(r"printf 'at 1%%\rat 50%%\rdone\n'; sleep 0.2")).follow(never, 30)
    assert verdict.log == "done\n"


def test_a_long_log_keeps_its_end_in_whole_lines(builds: Builds) -> None:
    # What a program prints just before it ends Concourse 8.2.5 may lose, which was seen here: hence the pause.
    loop = "i=0; while [ $i -lt 3000 ]; do echo this is line $i; i=$((i+1)); done; sleep 1"
    log = builds.start(running(loop)).follow(never, 60).log
    assert log.endswith("this is line 2999\n")
    assert log.startswith("this is line ")
    assert len(log) <= 4000


def test_a_page_for_people(server: Server, builds: Builds) -> None:
    told = requests.get(f"{server.url}/api/v1/info", timeout=30).json()["external_url"]  # a real one may be asked at another
    build = builds.start(running("true"))
    assert build.url == f"{told}/builds/{build.number}"
    build.follow(never, 30)


def test_a_stream_that_breaks_is_taken_up_where_it_broke(fake: FakeConcourse, log_in: Callable[..., Session]) -> None:
    fake.break_streams = 3
    verdict = Builds(log_in(fake.url)).start(running("echo one; echo two")).follow(never, 30)
    assert (verdict.status, verdict.log) == (BuildStatus.SUCCEEDED, "one\ntwo\n")


def test_a_build_that_no_worker_takes_does_not_wait_for_ever(fake: FakeConcourse, log_in: Callable[..., Session]) -> None:
    fake.workers = False
    verdict = Builds(log_in(fake.url)).start(running("true")).follow(never, 1)
    assert (verdict.overdue, verdict.good) == (True, False)


def test_a_pipeline_that_is_not_there_is_named(server: Server, log_in: Callable[..., Session]) -> None:
    session = log_in(server.url, server.user, server.password)
    with pytest.raises(Unavailable, match="concourse has no pipeline main/nonesuch"):
        Builds(session, "main", "nonesuch").start(running("true"))


def test_concourse_gone_while_a_build_runs(log_in: Callable[..., Session]) -> None:
    with FakeConcourse() as fake:
        build = Builds(log_in(fake.url)).start(running("sleep 60"))
    with pytest.raises(Unavailable):
        build.follow(never, 30)


def test_plans_pin_the_commit() -> None:
    plan = in_order(git("repo", {"uri": "http://gitea/a/b.git"}, "c" * 40), task("check", {}))
    assert plan["do"][0] == {
        "id": "2",
        "get": {
            "name": "repo",
            "type": "git",
            "image": {"base_type": "git"},
            "source": {"uri": "http://gitea/a/b.git"},
            "version": {"ref": "c" * 40},
        },
    }
    assert [step["id"] for step in plan["do"]] == ["2", "3"]


@pytest.mark.live
def test_a_commit_is_fetched(log_in: Callable[..., Session]) -> None:
    """CONCOURSE_GIT is the JSON of a git resource's source, with `sha`, one of its commits."""
    if "CONCOURSE_GIT" not in os.environ:
        pytest.skip("needs CONCOURSE_GIT")
    source = json.loads(os.environ["CONCOURSE_GIT"])
    sha = source.pop("sha")
    config = {**TASK, "inputs": [{"name": "repo"}], "run": {"path": "git", "args": ["-C", "repo", "rev-parse", "HEAD"]}}
    session = log_in(os.environ["CONCOURSE_LIVE"], os.environ["CONCOURSE_USER"], os.environ["CONCOURSE_PASSWORD"])
    verdict = Builds(session).start(in_order(git("repo", source, sha), task("check", config))).follow(never, 90)
    assert (verdict.status, verdict.log.splitlines()[-1:]) == (BuildStatus.SUCCEEDED, [sha])


def test_half_an_event_is_no_event() -> None:
    whole = ["id: 0", "event: event", 'data: {"event":"log","data":{"payload":"a"}}', ""]
    assert [event.number for event in events([*whole, "id: 1", "event: event", 'data: {"event":"lo'])] == [0]
