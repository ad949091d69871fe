"""What a reload means: every answer new, or the old ones still there and the reason told."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import dropwhile, pairwise
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed
from gitops_agent.model import HealthStatus
from tests.conformance.converge import converge, plan
from tests.conformance.holding import assert_holds, eventually
from tests.targets.nginx.server import Answer
from tests.targets.nginx.subject import MAIN, InPlaceSubject, NginxSubject, site

pytestmark = pytest.mark.server


def test_when_apply_returns_every_answer_is_new(serving: NginxSubject) -> None:
    with asking(serving, "a.test") as answers:
        converge(serving.target(), serving.second, applied=serving.first)
        returned = time.monotonic()
        after = [body for asked, body in answers.more(100) if asked > returned]
    assert set(after) == {b"a2"}
    assert {body for _, body in answers.all} == {b"a1", b"a2"}, "nobody was turned away meanwhile"


def test_what_nginx_refuses_is_told_and_the_old_page_still_serves(serving: NginxSubject) -> None:
    """Failure mode 47. An address that is taken passes `nginx -t`; nginx then keeps its old configuration without a word to us."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = {
            **serving.second,
            "conf.d/c.conf": site("c.test", "c1").replace(b"listen ", f"listen 127.0.0.1:{port}; listen ".encode()),
        }
        with pytest.raises(ApplyFailed) as raised:
            converge(serving.target(), refused, applied=serving.first)
    assert f"nginx keeps its old configuration: bind() to 127.0.0.1:{port} failed (98: Address" in str(raised.value)
    assert str(raised.value).endswith("; the previous files are back")
    assert_holds(serving, serving.first)
    assert not plan(serving.target(), serving.first, applied=serving.first)


def test_a_commit_may_move_the_pid_file(serving: NginxSubject) -> None:
    moved = {**serving.second, "nginx.conf": MAIN.replace("pid nginx.pid", "pid elsewhere.pid").encode()}
    target = serving.target()
    assert target.health().status is HealthStatus.HEALTHY
    try:
        converge(target, moved, applied=serving.first)
        assert serving.ask("a.test").body == b"a2"
        assert serving.target().health().status is HealthStatus.HEALTHY
    finally:
        converge(target, serving.first, applied=moved)  # where the supervisor looks


def test_nginx_that_is_down_gets_its_files_and_reads_them_when_it_starts(serving: NginxSubject) -> None:
    target = serving.target()
    with serving.server.down():
        converge(target, serving.second, applied=serving.first)
        assert (target.health().status, target.health().reason) == (HealthStatus.DEGRADED, "nginx is not running")
    assert_holds(serving, serving.second)
    assert target.health().status is HealthStatus.HEALTHY
    assert not plan(target, serving.second, applied=serving.second)


def test_nginx_that_is_starting_is_waited_for(switch: NginxSubject) -> None:
    """It may have read the old files: nobody could tell its workers from those of a reload."""
    target = switch.target()
    began = time.monotonic()
    with switch.server.down(), subprocess.Popen([switch.binary, "0.5"], executable="/bin/sleep") as starting:
        eventually(lambda: target.health().reason == "nginx is starting", 5, "seen starting")
        converge(target, switch.second, applied=switch.first)
        assert starting.poll() is not None
    assert time.monotonic() - began > 0.5


def test_nginx_on_its_way_to_the_background_is_never_taken_for_stopped(tmp_path: Path, binary: Callable[[str], str]) -> None:
    """It forks there: its first process has ended, its second has read the old files and not yet written its pid. Taken for
    stopped, it would not be reloaded."""
    program = tmp_path / "nginx-of-this-test"  # while others start, too
    program.symlink_to(binary("nginx"))
    subject = InPlaceSubject(tmp_path, str(program))
    converge(subject.target(), subject.first)
    for _ in range(8):
        target = subject.target()
        try:
            with subject.server.starting_slowly():
                said = [*iter(lambda: target.health().reason, "")]  # noqa: B023 -- used in this turn
        finally:
            subject.server.kill()
        assert set(dropwhile("nginx is not running".__eq__, said)) == {"nginx is starting"}
    subject.close()


def test_an_error_of_a_reload_that_is_no_bind_is_told_at_once(switch: NginxSubject) -> None:
    """What the check cannot see, because it is another moment: the file of an include is gone when nginx reads it."""
    extra = switch.directory / "extra.conf"
    extra.write_bytes(b"")
    needs = {**switch.second, "conf.d/c.conf": f"include {extra};\n".encode()}
    target = switch.target()
    made = plan(target, needs, applied=switch.first)
    extra.unlink()
    began = time.monotonic()
    with pytest.raises(
        ApplyFailed, match=r"open\(\) \"/.*extra.conf\" failed .* in conf\.d/c\.conf:1; the previous files are back"
    ):
        list(target.apply(made))
    assert time.monotonic() - began < 3
    assert_holds(switch, switch.first)


def test_somebody_who_reloads_all_the_time_is_noticed(switch: NginxSubject, caplog: pytest.LogCaptureFixture) -> None:
    target = switch.target()
    assert target.health().reason == ""
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            before = switch.server.workers()
            os.kill(switch.server.master, signal.SIGHUP)
            eventually(lambda: not before & switch.server.workers(), 5, "workers replaced")  # noqa: B023 -- used in this turn
            health = target.health()
    assert health.status is HealthStatus.HEALTHY
    assert health.reason.startswith("something else reloads nginx about every 0 s")
    target.health()
    assert len([record for record in caplog.records if "something else reloads" in record.message]) == 1


def test_our_own_reloads_are_no_loop(switch: NginxSubject) -> None:
    target = switch.target()
    folders = [switch.first, switch.second] * 3
    for before, after in pairwise(folders):
        converge(target, after, applied=before)
        assert target.health().reason == ""


class Answers:
    def __init__(self) -> None:
        self.all: list[tuple[float, bytes]] = []

    def more(self, count: int) -> list[tuple[float, bytes]]:
        """Waits for so many more and gives all."""
        enough = len(self.all) + count
        eventually(lambda: len(self.all) >= enough, 20, "answers")
        return self.all


@contextmanager
def asking(subject: NginxSubject, host: str) -> Iterator[Answers]:
    """Asks all the time from another thread, each time over a new connection; notes when it asked."""
    answers, stop = Answers(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            asked = time.monotonic()
            answer: Answer = subject.ask(host)
            answers.all.append((asked, answer.body))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        answers.more(5)
        yield answers
    finally:
        stop.set()
        thread.join()
