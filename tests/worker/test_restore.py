"""`on_failure = "restore"`, with the agent as a process: what a commit that does not work out comes to, also when it is killed."""

from __future__ import annotations

import random
import time

import pytest

from tests.gitserver import git
from tests.worker.running import REPOSITORY, Running, eventually

pytestmark = pytest.mark.slow


def configure(agent: Running, *, first: str = "true", **settings: object) -> None:
    """Two targets: `first` takes whatever it is given and runs a command, `second` does not work with what says «bad»."""
    second = "! grep -q bad {directory}/a || { touch " + f"{agent.path}/bad-was-here; exit 1; " + "}"
    agent.configure(
        targets=agent.target("first", verify=["sh", "-c", first]) + agent.target("second", verify=["sh", "-c", second]),
        on_failure="restore",
        **settings,
    )


def said(agent: Running, sha: str, context: str = "gitops/test") -> list[tuple[str, str]]:
    return list(agent.gitea.statuses(REPOSITORY, sha, context))


def ref(agent: Running, name: str) -> str:
    return git("for-each-ref", "--format=%(objectname)", f"refs/gitops/test/{name}", at=agent.path / "state/test/mirror.git")


def runs_of(agent: Running, sha: str) -> int:
    return sum(run["revision"]["sha"] == sha for run in agent.api("/runs")["runs"])


def test_what_was_applied_is_brought_back_and_the_next_commit_is_taken(agent: Running) -> None:
    """Failure mode 49."""
    pending, red = agent.path / "pending-was-seen", agent.path / "red-was-seen"  # a report that is overtaken is never sent
    waits = f"test $(cat {{directory}}/a) = 1 || until test -e {pending}; do sleep 0.02; done"
    configure(agent, first=f"{waits}; test ! -e {agent.path}/bad-was-here || until test -e {red}; do sleep 0.02; done")
    agent.start()
    good = agent.author.push({"first/a": "1", "second/a": "1"})
    agent.settled(good)
    bad = agent.author.push({"first/a": "2", "first/b": "2", "second/a": "bad"})
    agent.settled(bad, "pending")
    pending.touch()
    agent.settled(bad, "failure")
    red.touch()
    eventually(lambda: "brought back" in said(agent, bad)[-1][1])
    assert (agent.published("first", "a"), agent.published("first", "b"), agent.published("second", "a")) == ("1", None, "1")
    states, texts = zip(*said(agent, bad), strict=True)
    assert states == ("pending", "failure", "failure"), "red before the way back is over"
    assert texts[1].startswith(f"bringing back {good[:10]}; ")
    assert texts[2].startswith(f"brought back {good[:10]}; ")
    eventually(lambda: said(agent, bad, "gitops/test/second"))
    assert said(agent, bad, "gitops/test/first") == [("failure", "brought back: 1 updated, 1 deleted")]
    assert agent.environment()["last_applied_revision"]["sha"] == good
    (run,) = [run for run in agent.api("/runs")["runs"] if run["revision"]["sha"] == bad]
    assert "restore: apply first" in [step["name"] for step in agent.api(f"/runs/{run['id']}")["steps"]]
    better = agent.author.push({"second/a": "3"})
    agent.settled(better)
    assert (agent.published("first", "a"), agent.published("second", "a")) == ("2", "3")


def test_the_bad_commit_is_never_tried_again_by_itself_and_drift_is_healed_to_what_was_brought_back(agent: Running) -> None:
    configure(agent, resync=1)
    agent.start()
    agent.settled(agent.author.push({"first/a": "1", "second/a": "1"}))
    bad = agent.author.push({"first/a": "2", "second/a": "bad"})
    agent.settled(bad, "failure")
    eventually(lambda: agent.published("first", "a") == "1")
    (agent.path / "first/current/a").write_text("by hand")
    eventually(lambda: agent.published("first", "a") == "1")
    agent.stop()
    agent.start()
    time.sleep(2.5)  # longer than the first back-off and two looks for drift
    assert runs_of(agent, bad) == 1
    assert agent.state(bad) == "failure"
    assert agent.environment()["head"]["sha"] == bad


def test_a_first_commit_that_fails_has_nothing_to_go_back_to(agent: Running) -> None:
    configure(agent)
    agent.start()
    bad = agent.author.push({"first/a": "1", "second/a": "bad"})
    agent.settled(bad, "failure")
    assert "back" not in said(agent, bad)[-1][1].partition(";")[0]
    assert ref(agent, "rejected") == "", "it is tried again"


def test_a_way_back_that_fails_is_said_and_not_walked_again(agent: Running) -> None:
    """Failure mode 48: it ends, and stays ended over a restart."""
    configure(agent, first=f"test ! -e {agent.path}/bad-was-here", resync=1)
    agent.start()
    agent.settled(agent.author.push({"first/a": "1", "second/a": "1"}))
    bad = agent.author.push({"first/a": "2", "second/a": "bad"})
    eventually(lambda: "could not be brought back" in str(said(agent, bad)))
    number = len(agent.api("/runs")["runs"])
    agent.stop()
    agent.start()
    time.sleep(2.5)
    assert len(agent.api("/runs")["runs"]) == number, "nobody tries again"
    assert (ref(agent, "restoring"), ref(agent, "unrestored")) == ("", bad)
    (agent.path / "bad-was-here").unlink()
    agent.settled(agent.author.push({"first/a": "3", "second/a": "3"}))
    assert ref(agent, "unrestored") == ""
    (agent.path / "first/current/a").write_text("by hand")
    eventually(lambda: agent.published("first", "a") == "3", what="drift is healed again")


def test_it_has_a_deadline_of_its_own(agent: Running) -> None:
    """Failure mode 48."""
    configure(agent, first=f"test ! -e {agent.path}/bad-was-here || sleep 1.5", restore_timeout=1)
    agent.start()
    agent.settled(agent.author.push({"first/a": "1", "second/a": "1"}))
    bad = agent.author.push({"first/a": "2", "second/a": "bad"})
    eventually(lambda: "could not be brought back: it took longer than 1 s" in str(said(agent, bad)))


def test_killed_in_the_middle_of_the_way_back_it_goes_on_there_also_without_a_journal(agent: Running) -> None:
    """Failure modes 48, 64: what to do is in the mirror."""
    configure(agent, first=f"test ! -e {agent.path}/bad-was-here || sleep 1")
    agent.start()
    good = agent.author.push({"first/a": "1", "second/a": "1"})
    agent.settled(good)
    bad = agent.author.push({"first/a": "2", "second/a": "bad"})
    eventually(lambda: (agent.path / "bad-was-here").exists() and agent.published("first", "a") == "1")
    agent.kill()
    assert ref(agent, "restoring") == bad
    for file in (agent.path / "state").glob("journal.sqlite3*"):
        file.unlink()
    agent.start()
    eventually(lambda: f"brought back {good[:10]}, begun in an earlier run" in str(said(agent, bad)))
    assert agent.state(bad) == "failure"
    assert (agent.published("first", "a"), agent.published("second", "a")) == ("1", "1")
    eventually(lambda: ref(agent, "restoring") == "")


def test_a_commit_that_comes_while_the_way_back_is_walked_is_taken_at_once(agent: Running) -> None:
    configure(agent, first=f"test ! -e {agent.path}/bad-was-here || sleep 1")
    agent.start()
    agent.settled(agent.author.push({"first/a": "1", "second/a": "1"}))
    bad = agent.author.push({"first/a": "2", "second/a": "bad"})
    eventually(lambda: ref(agent, "restoring") == bad)
    better = agent.author.push({"first/a": "3", "second/a": "3"})
    agent.settled(better)
    assert agent.state(bad) == "failure"
    assert (agent.published("first", "a"), agent.published("second", "a")) == ("3", "3")
    assert ref(agent, "restoring") == ""


def test_killed_at_random_points_a_bad_commit_always_ends_red_with_the_good_one_in_place(agent: Running) -> None:
    """Failure modes 48, 64: SIGKILL at random moments before, in and after the way back."""
    configure(agent, first="sleep 0.15", poll=1)
    agent.start()
    good = agent.author.push({"first/a": "1", "second/a": "1"})
    agent.settled(good)
    dice = random.Random(4)
    for number in range(5):
        bad = agent.author.push({"first/a": f"{number}0", "second/a": f"bad {number}"})
        time.sleep(dice.uniform(0.05, 0.7))
        agent.kill()
        agent.start()
        agent.settled(bad, "failure")
        eventually(lambda: agent.published("first", "a") == "1" and agent.published("second", "a") == "1")
        eventually(lambda: ref(agent, "restoring") == "")
    assert agent.environment()["last_applied_revision"]["sha"] == good


def test_a_commit_that_ends_the_way_back_and_is_no_good_either_does_not_leave_it_half_walked(agent: Running) -> None:
    configure(agent, first=f"test ! -e {agent.path}/bad-was-here || sleep 1")
    agent.start()
    good = agent.author.push({"first/a": "1", "first/b": "1", "second/a": "1"})
    agent.settled(good)
    bad = agent.author.push({"first/a": "2", "second/a": "bad"})
    eventually(lambda: ref(agent, "restoring") == bad)
    broken = agent.author.push({"first/c.j2": "{{ missing }}"})
    agent.settled(broken, "error")
    eventually(lambda: ref(agent, "restoring") == "")
    assert agent.published("first", "a") == "1"
    agent.settled(bad, "failure")
    eventually(lambda: f"brought back {good[:10]}" in said(agent, bad)[-1][1])
