"""The client and the outbox on a real Gitea. With GITEA_RECORD set, what was said is written to tests/recorded/."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_agent.gitea import Gitea
from gitops_agent.journal import Journal
from gitops_agent.model import CommitStatus, StatusState
from gitops_agent.report import GiteaStatuses, Outbox
from gitops_agent.report.courier import Pace
from tests.conftest import ROOT
from tests.gitea_scenarios import SCENES, Scene, Stage
from tests.live.gitea import Clone, LiveGitea
from tests.live.recorder import Recorder
from tests.test_gitea_recorded import TOKENS

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("GITEA_LIVE" not in os.environ, reason="GITEA_LIVE names no Gitea"),
]


@pytest.fixture(scope="module")
def live() -> LiveGitea:
    return LiveGitea()


@pytest.fixture
def recorder(live: LiveGitea) -> Iterator[Recorder]:
    proxy = Recorder(live.url)
    yield proxy
    proxy.close()


@pytest.fixture
def clone(live: LiveGitea, tmp_path: Path) -> Clone:
    (tmp_path / "clone").mkdir()
    return Clone(tmp_path / "clone", f"{live.url}/{live.repository()}.git", live.token("write:repository"))


def token_of(kind: str, live: LiveGitea) -> str:
    if kind in TOKENS:
        return live.token(*TOKENS[kind])
    return {"stranger": live.stranger, "wrong": lambda: "0" * 40, "none": lambda: ""}[kind]()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_client(scene: Scene, live: LiveGitea, recorder: Recorder, clone: Clone, tmp_path: Path) -> None:
    sha = clone.push("first")
    token = token_of(scene.token, live)
    (tmp_path / "token").write_text(token)
    gitea = Gitea.of(clone.remote, recorder.url, tmp_path / "token" if token else None)
    scene.play(Stage(recorder.url, sha, gitea, {"Authorization": f"token {token}"} if token else {}))
    gitea.close()
    if "GITEA_RECORD" in os.environ:
        version = live.version()
        recorder.save(ROOT / f"tests/recorded/gitea-{version}/{scene.name}.json", version=version, token=scene.token)


class Agent:
    """Journal and outbox as the agent has them, with answers that may be lost on the way back."""

    def __init__(self, directory: Path, clone: Clone, proxy: Recorder) -> None:
        (directory / "token").write_text(clone.token)
        gitea = Gitea.of(clone.remote, proxy.url, directory / "token")
        self.repository = gitea.repository
        self.journal = Journal(directory / "journal.sqlite3")
        self.outbox = Outbox(self.journal, {"mini": GiteaStatuses(gitea)}, Pace(first=0.1, longest=0.5))
        self.outbox.start()

    def say(self, sha: str, state: StatusState, description: str, context: str = "gitops/mini") -> None:
        if self.journal.queue("mini", CommitStatus(sha, context, state, description, "http://agent.example/runs/1")):
            self.outbox.ring()

    def close(self) -> None:
        self.outbox.close()
        self.journal.close()


@pytest.fixture
def agent(tmp_path: Path, clone: Clone, recorder: Recorder) -> Iterator[Agent]:
    built = Agent(tmp_path, clone, recorder)
    yield built
    built.close()


def test_a_push_a_break_and_a_revert_as_gitea_shows_them(live: LiveGitea, clone: Clone, agent: Agent) -> None:
    first, broken, reverted = clone.push("one"), clone.push("broken"), clone.push("one again")
    agent.say(first, StatusState.PENDING, "reconciling")
    assert agent.outbox.drain(10)
    agent.say(first, StatusState.SUCCESS, "applied; nginx: 1 updated")
    agent.say(broken, StatusState.ERROR, "nginx: site.conf:1: unknown directive")
    agent.say(broken, StatusState.ERROR, "site.conf:1: unknown directive", "gitops/mini/nginx")
    agent.say(reverted, StatusState.SUCCESS, "no changes")
    assert agent.outbox.drain(10)
    shown = {sha: live.combined(agent.repository, sha) for sha in (first, broken, reverted)}
    assert [combined["state"] for combined in shown.values()] == ["success", "failure", "success"]
    (status,) = shown[first]["statuses"]
    assert (status["description"], status["target_url"]) == ("applied; nginx: 1 updated", "http://agent.example/runs/1")
    assert [row["context"] for row in shown[broken]["statuses"]] == ["gitops/mini", "gitops/mini/nginx"]
    assert live.history(agent.repository, first) == ["pending", "success"]


def test_answers_that_are_lost_leave_nothing_twice(live: LiveGitea, clone: Clone, agent: Agent, recorder: Recorder) -> None:
    commits = [clone.push(str(number)) for number in range(4)]
    recorder.lose = 3
    for sha in commits:
        agent.say(sha, StatusState.SUCCESS, "applied")
    assert agent.outbox.drain(20)
    assert [live.history(agent.repository, sha) for sha in commits] == [["success"]] * 4


def test_a_commit_that_was_force_pushed_away_and_collected_is_dropped(live: LiveGitea, clone: Clone, agent: Agent) -> None:
    """Failure modes 1 and 55. A commit that is merely unreachable still takes its status."""
    away = clone.push("one")
    clone.git("commit", "--quiet", "--amend", "--message", "Rewritten")
    clone.send("--force")
    agent.say(away, StatusState.SKIPPED, "superseded")
    agent.say(away, StatusState.FAILURE, "no")
    agent.say("0123456789" * 4, StatusState.FAILURE, "never was there")
    assert agent.outbox.drain(10)
    assert live.history(agent.repository, away) == ["failure"]


@pytest.mark.skipif("GITEA_LIVE_STOP" not in os.environ, reason="GITEA_LIVE_STOP names no command")
def test_a_restart_in_the_middle_loses_and_doubles_nothing(live: LiveGitea, clone: Clone, agent: Agent) -> None:
    """Failure modes 3 and 53."""
    commits = [clone.push(str(number)) for number in range(10)]
    for number, sha in enumerate(commits):
        if number == 3:
            live.stop()
        if number == 7:
            live.start()
        agent.say(sha, StatusState.PENDING, "reconciling")
        agent.outbox.drain(0.1)
        agent.say(sha, StatusState.SUCCESS, "applied")
    assert agent.outbox.drain(60)
    for sha in commits:
        assert live.history(agent.repository, sha) in (["success"], ["pending", "success"])
