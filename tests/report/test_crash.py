"""Killed, restarted, stormed: every commit gets its final status, none twice, none missing.

Failure modes 2, 3, 51, 52, 64.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_agent.model import StatusState
from tests.conftest import ROOT
from tests.fakes.gitea import FakeGitea
from tests.report.world import CONTEXT, REPOSITORY, TOKEN, World, serve, sha

_COMMITS = 40


def start(directory: Path, server: FakeGitea) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.report.agent", str(directory), server.url, str(_COMMITS)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def is_final(said: list[str]) -> bool:
    return said in (["success"], ["pending", "success"])


@pytest.mark.slow
def test_killed_at_ten_moments_every_commit_is_reported_once(tmp_path: Path) -> None:
    """Each kill comes when a request has arrived and been carried out, and its answer has not been sent."""
    (tmp_path / "token").write_text(TOKEN)
    server = serve()
    server.trouble.delay = 0.03
    rng = random.Random(64)
    for _ in range(10):
        seen = len(server.requests) + rng.randint(1, 6)
        with start(tmp_path, server) as agent:
            assert server.wait(lambda seen=seen: len(server.requests) >= seen, timeout=20)
            agent.send_signal(signal.SIGKILL)
    server.trouble.delay = 0
    with start(tmp_path, server) as agent:
        assert agent.communicate(timeout=60) == ("done\n", None)
    for number in range(_COMMITS):
        said = [state for state, _ in server.statuses(REPOSITORY, sha(number), CONTEXT)]
        assert is_final(said), f"commit {number}: {said}"
        assert server.statuses(REPOSITORY, sha(number), f"{CONTEXT}/nginx") == [("success", "1 updated")]
    assert server.count("GET", "/statuses/") >= 1, "no kill came between a request and its answer: nothing was shown"
    server.stop()


@pytest.mark.slow
def test_a_storm_of_commits_while_gitea_restarts_and_loses_answers(tmp_path: Path) -> None:
    server = serve()
    world = World.begin(tmp_path, server)
    world.outbox.start()
    for number in range(50):
        if number % 10 == 3:
            server.stop()
        if number % 10 == 6:
            server.start()
        seen = len(server.requests)
        server.trouble.drop_answers += number % 4 == 0
        server.trouble.fail += number % 5 == 0
        world.say(number, StatusState.PENDING)
        if number % 2:
            server.wait(lambda seen=seen: len(server.requests) > seen, timeout=0.2)
        overtaken = number % 3 == 1
        world.say(number, StatusState.SKIPPED if overtaken else StatusState.SUCCESS)
    server.trouble.fail = server.trouble.drop_answers = 0
    assert world.outbox.drain(30)
    for number in range(50):
        said = world.said(number)
        if number % 3 == 1:  # overtaken: not mentioned at all, unless pending was out already
            assert said in ([], ["pending", "skipped"]), f"commit {number}: {said}"
        else:
            assert is_final(said), f"commit {number}: {said}"
    world.end()
    server.stop()
