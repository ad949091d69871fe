"""The agent as a process: what a push, a storm of pushes, trouble and a killed process come to, as Gitea sees it."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from tests.gitserver import serve, unavailable
from tests.worker.running import FINAL, REPOSITORY, Running, eventually

pytestmark = pytest.mark.slow


def assert_every_report_is_final_and_none_came_twice(agent: Running) -> None:
    """Failure modes 51, 52."""
    for sha, rows in agent.repository.statuses.items():
        for context in {row["context"] for row in rows}:
            said = [row["status"] for row in rows if row["context"] == context]
            assert said[-1] in FINAL, (sha, context, said)
            assert all(one != other for one, other in itertools.pairwise(said)), (sha, context, said)


def test_a_push_is_applied_and_the_commit_says_so(agent):
    agent.start()
    sha = agent.author.push({"pages/index.html": "one"})
    agent.settled(sha)
    assert agent.published("pages", "index.html") == "one"
    *before, last = agent.gitea.statuses(REPOSITORY, sha, "gitops/test")
    assert last == ("success", "applied; pages: 1 created")
    assert before in ([("pending", "reconciling")], []), "what is overtaken before it is sent is not sent"
    eventually(lambda: agent.state(sha, "gitops/test/pages") == "success", what="the target's status, sent after the other")
    [run] = agent.api("/runs")["runs"]
    assert agent.repository.statuses[sha][-1]["target_url"].endswith(f"/runs/{run['id']}")


def test_what_only_an_operator_can_do_is_said_on_the_commit_until_it_is_done(agent):
    """The repository describes a target that the agent's own settings do not have yet."""
    agent.start()
    running = (agent.path / "agent.toml").read_text()
    same = agent.author.push({"agent/agent.toml": running, "pages/a": "1"})
    agent.settled(same)
    differs = agent.author.push({"agent/agent.toml": running + agent.target("more"), "more/a": "1", "pages/a": "2"})
    agent.settled(differs)
    assert agent.published("more", "a") is None
    (agent.path / "agent.toml").write_text(running + agent.target("more"))
    agent.stop()
    agent.start()
    done = agent.author.push({"pages/a": "3"})
    agent.settled(done)
    assert agent.published("more", "a") == "1"
    assert [agent.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1] for sha in (same, differs, done)] == [
        "applied; pages: 1 created",
        "applied; pages: 1 updated (agent/agent.toml differs: run bootstrap)",
        "applied; pages: 1 updated" if agent.environment()["outcome"] == "success" else "",
    ]


def test_a_broken_commit_is_refused_and_its_revert_goes_through(agent):
    """Failure modes 12, 49."""
    agent.start()
    agent.settled(agent.author.push({"pages/index.html": "one"}))
    broken = agent.author.push({"pages/index.html": None, "pages/index.html.j2": "{{ missing }}"})
    agent.settled(broken, "error")
    assert agent.published("pages", "index.html") == "one"
    (agent.path / "pages/current/index.html").write_text("by hand")
    eventually(lambda: agent.published("pages", "index.html") == "one")
    assert agent.environment()["outcome"] == "error", "held at the applied revision, but head is still no good"
    assert "index.html.j2:1" in agent.gitea.statuses(REPOSITORY, broken, "gitops/test")[-1][1]
    agent.settled(agent.author.push({"pages/index.html.j2": None, "pages/index.html": "one"}))
    assert_every_report_is_final_and_none_came_twice(agent)


def test_a_storm_of_pushes_with_gitea_restarting_ends_at_the_newest(agent):
    """Failure modes 2, 3, 53: 50 pushes; Gitea is stopped and started, and fails and loses answers in between."""
    agent.configure(poll=1)
    agent.start()
    dice = random.Random(50)
    for number in range(50):
        sha = agent.author.push({"pages/index.html": str(number)})
        if number % 12 == 5:
            agent.gitea.stop()
        if number % 12 == 9:
            agent.gitea.start()
        if number % 10 == 2:
            agent.gitea.trouble.fail, agent.gitea.trouble.drop_answers = 1, 1
        time.sleep(dice.uniform(0, 0.05))
    agent.gitea.start() if agent.gitea._server is None else None
    eventually(lambda: agent.state(sha) == "success", timeout=60)
    assert agent.published("pages", "index.html") == "49"
    eventually(lambda: agent.api("/runs")["runs"] and not unfinished(agent), timeout=60, what="all reports final")
    assert_every_report_is_final_and_none_came_twice(agent)


def unfinished(agent: Running) -> list[str]:
    return [
        sha
        for sha, rows in agent.repository.statuses.items()
        if [row["status"] for row in rows if row["context"] == "gitops/test"][-1:] == ["pending"]
    ]


def test_a_push_during_a_run_supersedes_it(agent):
    """Failure modes 2, 42."""
    targets = agent.target("slow", verify=["sleep", "1.5"]) + agent.target("pages")
    agent.configure(targets=targets)
    agent.start()
    old = agent.author.push({"slow/a": "1", "pages/a": "1"})
    eventually(lambda: agent.published("slow", "a") == "1")
    new = agent.author.push({"slow/a": "1", "pages/a": "2"})
    agent.settled(new)
    agent.settled(old, "skipped")
    assert f"superseded by {new[:10]}" in agent.gitea.statuses(REPOSITORY, old, "gitops/test")[-1][1]
    assert agent.published("pages", "a") == "2"
    assert_every_report_is_final_and_none_came_twice(agent)


def test_a_commit_that_a_lost_journal_left_pending_is_finished(agent):
    """Failure mode 51: the branch has moved on meanwhile. The next agent waits for the program that the killed one has left."""
    agent.configure(targets=agent.target("slow", verify=["sleep", "10"]))
    agent.start()
    left = agent.author.push({"slow/a": "1"})
    eventually(lambda: agent.state(left) == "pending")
    agent.kill()
    for file in (agent.path / "state").glob("journal.sqlite3*"):
        file.unlink()
    agent.configure(targets=agent.target("slow"))
    new = agent.author.push({"slow/a": "2"})
    agent.start()
    agent.settled(new)
    agent.settled(left, "skipped")
    assert_every_report_is_final_and_none_came_twice(agent)


def test_only_targets_that_changed_are_spoken_of(agent):
    """Failure mode 58."""
    agent.configure(targets=agent.target("one") + agent.target("two"))
    agent.start()
    agent.settled(agent.author.push({"one/a": "1", "two/a": "1"}))
    sha = agent.author.push({"one/a": "2"})
    agent.settled(sha)
    eventually(lambda: agent.state(sha, "gitops/test/one") == "success")
    assert {row["context"] for row in agent.repository.statuses[sha]} == {"gitops/test", "gitops/test/one"}


def test_nobody_looks_for_drift_while_a_run_goes_on(agent):
    """Failure mode 28: what is half applied is no drift."""
    agent.configure(targets=agent.target("slow", verify=["sleep", "1.5"]))
    agent.start()
    sha = agent.author.push({"slow/a": "1"})
    eventually(lambda: agent.published("slow", "a") == "1")
    (agent.path / "slow/current/a").write_text("by hand")
    agent.settled(sha)
    eventually(lambda: agent.published("slow", "a") == "1")
    eventually(lambda: len(agent.api("/runs")["runs"]) == 2)
    healed, first = agent.api("/runs")["runs"]
    assert (first["drift"], healed["drift"]) == (False, True)
    assert healed["started"] >= first["ended"]


def test_killed_at_random_points_it_ends_where_it_should(agent):
    """Failure mode 64: SIGKILL at ten random moments of as many runs."""
    targets = agent.target("first", verify=["sleep", "0.05"]) + agent.target("second", verify=["sleep", "0.05"])
    agent.configure(targets=targets, poll=1)
    dice = random.Random(10)
    for number in range(10):
        sha = agent.author.push({f"first/{name}": f"{number}" for name in "abc"} | {"second/x": f"{number}"})
        agent.start(ready=False)
        time.sleep(dice.uniform(0.3, 1.8))
        agent.kill()
    agent.start()
    agent.settled(sha)
    assert [agent.published("first", name) for name in "abc"] == ["9"] * 3
    assert agent.published("second", "x") == "9"
    eventually(lambda: not unfinished(agent), what="no commit pending")
    assert_every_report_is_final_and_none_came_twice(agent)


def test_with_git_and_gitea_away_at_start_drift_is_still_healed_and_their_return_is_noticed(agent):
    """Failure mode 5."""
    agent.start()
    agent.settled(agent.author.push({"pages/index.html": "one"}))
    agent.stop()
    agent.git_server.behave(unavailable)
    agent.gitea.stop()
    current = agent.path / "pages/current/index.html"
    current.write_text("by hand")
    agent.start()
    eventually(lambda: agent.published("pages", "index.html") == "one")
    assert "503" in agent.environment()["fetch_error"]
    agent.gitea.start()
    agent.git_server.behave(serve)
    agent.settled(agent.author.push({"pages/index.html": "two"}))
    assert not agent.environment()["fetch_error"]


def test_drift_is_noticed_by_the_watch_and_healed(agent):
    """Failure mode 29."""
    agent.start()
    sha = agent.author.push({"pages/index.html": "one"})
    agent.settled(sha)
    (agent.path / "pages/current/index.html").write_text("by hand")
    eventually(lambda: agent.published("pages", "index.html") == "one", timeout=5)
    eventually(lambda: any(run["drift"] for run in agent.api("/runs")["runs"]))
    assert agent.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][0] == "success"
    assert_every_report_is_final_and_none_came_twice(agent)


def test_suspended_it_does_nothing_also_after_a_restart_and_refuses_a_sync(agent):
    agent.start()
    agent.settled(agent.author.push({"pages/index.html": "one"}))
    agent.api("/environments/test/suspend", {"why": "maintenance"})
    sha = agent.author.push({"pages/index.html": "two"})
    agent.stop()
    agent.start(ready=False)
    eventually(lambda: agent._ask("/healthz")[0] == 200)
    time.sleep(1)
    assert agent.published("pages", "index.html") == "one"
    assert agent.state(sha) == ""
    token = (agent.path / "state/token").read_text()
    status, answer = agent._ask("/api/v1/environments/test/sync", {"Authorization": f"Bearer {token}"}, {})
    assert (status, "suspended" in answer) == (409, True)
    agent.api("/environments/test/resume", {})
    agent.settled(sha)


def test_a_second_agent_on_the_same_environment_waits(agent, free_port):
    """Failure mode 65."""
    agent.start()
    agent.settled(agent.author.push({"pages/index.html": "one"}))
    second = Running.__new__(Running)
    second.__dict__ = {**agent.__dict__, "port": free_port(), "log": agent.path / "second.log"}
    text = (agent.path / "agent.toml").read_text()
    (agent.path / "agent.toml").write_text(text.replace(f":{agent.port}", f":{second.port}"))
    second.start(ready=False)
    try:
        eventually(lambda: "another agent has the lock" in second._ask("/readyz")[1])
        agent.kill()
        eventually(second.ready)
        agent.settled(agent.author.push({"pages/index.html": "two"}))
    finally:
        assert second.stop() == 0


def test_sigterm_ends_the_run_between_two_changes_and_the_next_start_finishes_it(agent):
    agent.configure(targets=agent.target("slow", verify=["sleep", "1"]) + agent.target("pages"))
    agent.start()
    sha = agent.author.push({"slow/a": "1", "pages/a": "1"})
    eventually(lambda: agent.published("slow", "a") == "1")
    assert agent.stop() == 0
    assert agent.published("pages", "a") is None
    assert agent.state(sha) in ("", "pending")
    agent.start()
    agent.settled(sha)
    assert agent.published("pages", "a") == "1"
    assert_every_report_is_final_and_none_came_twice(agent)


def test_a_journal_that_cannot_be_written_stops_reporting_not_reconciling(agent):
    (agent.path / "state/journal.sqlite3").mkdir(parents=True)
    agent.start(ready=False)
    agent.author.push({"pages/index.html": "one"})
    eventually(lambda: agent.published("pages", "index.html") == "one")
    status, answer = agent._ask("/readyz")
    assert (status, "journal" in answer) == (503, True)
    assert agent.log.read_text().count("the journal is lost") == 1


def test_a_corrupt_journal_is_moved_aside(agent):
    (agent.path / "state").mkdir()
    (agent.path / "state/journal.sqlite3").write_bytes(b"this is no database" * 100)
    agent.start()
    agent.settled(agent.author.push({"pages/index.html": "one"}))
    assert list((agent.path / "state").glob("journal.sqlite3.corrupt-*"))


def test_pushes_to_other_branches_and_deleted_branches_change_nothing(agent):
    """Failure mode 8."""
    agent.start()
    agent.settled(agent.author.push({"pages/index.html": "one"}))
    agent.author.branch = "other"
    agent.author.push({"pages/index.html": "two"})
    time.sleep(0.5)
    assert agent.published("pages", "index.html") == "one"
    assert len(agent.api("/runs")["runs"]) == 1
