"""Merges of pull requests validated by Concourse: by the branch's task file, without a password, while they are open."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes.concourse import PASSWORD, USER, FakeConcourse
from tests.gitserver import git
from tests.preview.proposing import Proposals
from tests.worker.running import REPOSITORY, TOKEN, Running, eventually
from tests.worker.test_validation import CONTEXT, says

pytestmark = pytest.mark.slow


@pytest.fixture
def concourse() -> Iterator[FakeConcourse]:
    with FakeConcourse() as fake:
        fake.pipelines.teams.add("proposals")
        yield fake


def configure(agent: Running, concourse: FakeConcourse, **settings: object) -> None:
    (agent.path / "concourse-password").write_text(PASSWORD)
    more = "\n".join(f"{name} = {json.dumps(value)}" for name, value in {"team": "proposals", **settings}.items())
    agent.configure(
        targets=f"""
[environments.test.validation]
address = "{concourse.url}"
username = "{USER}"
password_file = "{agent.path}/concourse-password"
policy = "advisory"
[environments.test.previews]
poll = 1
pause = 0
[environments.test.previews.validation]
{more}
{agent.target("pages")}"""
    )


@pytest.fixture
def validated(agent: Running, proposals: Proposals, concourse: FakeConcourse) -> Proposals:
    """The branch's task file finds pages with the word `bad` in them bad, and looks at them slowly when told to."""
    task = says(f"! test -e {agent.path}/slow || sleep 60; cd config && echo 'looked at' && ! grep -rh bad pages")
    agent.author.push(task)
    configure(agent, concourse)
    agent.start()
    eventually(lambda: agent.published("pages", "index.html") == "one\n")
    return proposals


def verdict(agent: Running, sha: str, state: str, text: str = "") -> str:
    def said() -> bool:
        states = agent.gitea.statuses(REPOSITORY, sha, CONTEXT)
        return bool(states) and states[-1][0] == state and text in states[-1][1]

    eventually(said, 30, what=f"{state} {text}: {agent.gitea.statuses(REPOSITORY, sha, CONTEXT)}\n{agent.log.read_text()[-2000:]}")
    return agent.gitea.statuses(REPOSITORY, sha, CONTEXT)[-1][1]


def of_merges(concourse: FakeConcourse) -> dict[int, str]:
    return {number: build.status for number, build in concourse.builds.items() if build.names["team_name"] == "proposals"}


def test_green_and_red_are_said_on_its_head_and_nothing_is_applied(agent: Running, validated: Proposals, concourse: FakeConcourse):
    _, head = validated.open({"pages/index.html": "two\n"})
    verdict(agent, head, "success", "found good in")
    (number,) = of_merges(concourse)
    row = next(row for row in agent.repository.statuses[head] if row["context"] == CONTEXT and row["status"] == "success")
    assert row["target_url"] == f"{concourse.url}/builds/{number}"
    newer = validated.branch({"pages/index.html": "this is bad @ann\n"})
    assert verdict(agent, newer, "failure") == f"build {number + 1} failed: this is bad @ann"
    assert agent.published("pages", "index.html") == "one\n"


def test_it_is_the_merge_that_is_judged(agent: Running, validated: Proposals, concourse: FakeConcourse):
    """Failure mode: the head alone is good, and what merging gives is not."""
    head = validated.branch({"pages/new.html": "new\n"})
    agent.author.push({"pages/other.html": "bad\n"})
    validated.request("change")
    verdict(agent, head, "failure", "failed: bad")
    agent.author.push({"pages/other.html": "good again\n"})
    verdict(agent, head, "success")


def test_the_request_decides_nothing(agent: Running, validated: Proposals, concourse: FakeConcourse):
    """Failure mode 18: task file, pipeline and hooks of the request are files that are judged, and nothing more."""
    trap = f"#!/bin/sh\ntouch {agent.path}/trapped\n"
    sly = says("true") | {"pages/a": "bad\n", ".gitattributes": "pages/a export-ignore\n", "hooks/pre-push": trap, "run": trap}
    _, head = validated.open(sly)
    verdict(agent, head, "failure", "failed: bad")
    (build,) = (build for build in concourse.builds.values() if build.names["team_name"] == "proposals")
    assert not (agent.path / "trapped").exists()
    told = json.dumps(build.plan)
    assert [*map(sorted, build.plan["do"])] == [["artifact_input", "id"], ["id", "task"]], "no repository, no password"
    assert TOKEN not in told
    assert "git" not in told.replace("gitops", "")


def test_a_branch_that_moves_aborts_the_build_and_begins_another(agent: Running, validated: Proposals, concourse: FakeConcourse):
    slow = agent.path / "slow"
    slow.touch()
    _, head = validated.open({"pages/new.html": "new\n"})
    verdict(agent, head, "pending", "runs")
    (first,) = of_merges(concourse)
    slow.unlink()
    agent.author.push({"pages/index.html": "moved\n"})
    verdict(agent, head, "success")
    eventually(lambda: of_merges(concourse)[first] == "aborted")


def test_nothing_runs_for_a_request_that_is_closed(agent: Running, validated: Proposals, concourse: FakeConcourse):
    (agent.path / "slow").touch()
    number, head = validated.open({"pages/new.html": "new\n"})
    verdict(agent, head, "pending", "runs")
    validated.ask("PATCH", f"/pulls/{number}", {"state": "closed"})
    eventually(lambda: [*of_merges(concourse).values()] == ["aborted"])
    verdict(agent, head, "skipped", "no longer open")
    assert not list((agent.path / "state/test/previews").glob("*.tar.gz"))


def test_closed_while_the_agent_was_away(agent: Running, validated: Proposals, concourse: FakeConcourse):
    (agent.path / "slow").touch()
    number, head = validated.open({"pages/new.html": "new\n"})
    verdict(agent, head, "pending", "runs")
    agent.kill()
    validated.ask("PATCH", f"/pulls/{number}", {"state": "closed"})
    agent.start()
    eventually(lambda: [*of_merges(concourse).values()] == ["aborted"])
    verdict(agent, head, "skipped")


def test_an_agent_that_is_started_again_goes_on_with_the_build(agent: Running, validated: Proposals, concourse: FakeConcourse):
    agent.author.push(says("sleep 2"))
    eventually(lambda: agent.gitea.statuses(REPOSITORY, git("rev-parse", "HEAD", at=agent.author.clone), CONTEXT)[-1:] != [])
    _, head = validated.open({"pages/new.html": "new\n"})
    verdict(agent, head, "pending", "runs")
    agent.kill()
    agent.start()
    assert verdict(agent, head, "success") == "found good"
    agent.kill()
    agent.start()
    eventually(lambda: agent.log.read_text().count("preview environment=test") >= 2)
    assert len(of_merges(concourse)) == 1, "what was judged is not judged again"


def test_what_concourse_cannot_do_is_tried_again(agent: Running, validated: Proposals, concourse: FakeConcourse):
    concourse.workers = False
    _, head = validated.open({"pages/new.html": "new\n"})
    verdict(agent, head, "error", "no workers satisfying")
    concourse.workers = True
    verdict(agent, head, "success")


def test_a_few_at_a_time(agent: Running, validated: Proposals, concourse: FakeConcourse):
    agent.stop()
    configure(agent, concourse, most=1)
    agent.start()
    slow = agent.path / "slow"
    slow.touch()
    _, one = validated.open({"pages/new.html": "new\n"}, "one")
    verdict(agent, one, "pending", "runs")
    _, other = validated.open({"pages/new.html": "newer\n"}, "other")
    verdict(agent, other, "pending", "waits for its turn")
    slow.unlink()
    concourse.builds[next(iter(of_merges(concourse)))].abort()
    verdict(agent, one, "error", "was aborted")
    verdict(agent, other, "success")


def test_one_that_takes_too_long_is_given_up(agent: Running, validated: Proposals, concourse: FakeConcourse):
    agent.stop()
    configure(agent, concourse, deadline="2s")
    agent.start()
    (agent.path / "slow").touch()
    _, head = validated.open({"pages/new.html": "new\n"})
    verdict(agent, head, "error", "was given up after 2 s")
    eventually(lambda: "aborted" in of_merges(concourse).values())


def test_what_cannot_be_merged_is_not_validated(agent: Running, validated: Proposals, concourse: FakeConcourse):
    _, head = validated.open({"pages/index.html": "two\n"})
    verdict(agent, head, "success")
    agent.author.push({"pages/index.html": "three\n"})
    assert verdict(agent, head, "failure") == "not validated: the plan of it says why"


def test_a_branch_without_a_task_file_validates_nothing(agent: Running, validated: Proposals, concourse: FakeConcourse):
    agent.author.push({"ci/validate.yml": None})
    _, head = validated.open(says("true"))
    assert verdict(agent, head, "failure") == "not validated: the branch has no ci/validate.yml"
    assert not of_merges(concourse)


def test_a_fork_that_floods_costs_bounded_time(agent: Running, validated: Proposals, concourse: FakeConcourse):
    """It pushes again and again: what was overtaken is aborted, and one build is left."""
    (agent.path / "slow").touch()
    validated.open({"pages/new.html": "0\n"})
    for number in range(1, 6):
        head = validated.branch({"pages/new.html": f"{number}\n"})
    verdict(agent, head, "pending", "runs")
    eventually(lambda: [state for state in of_merges(concourse).values() if state != "aborted"] == ["started"])
