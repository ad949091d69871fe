"""The agent as a process with a Concourse that validates each commit: what each end of a build means for the commit."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.fakes.concourse import PASSWORD, USER, FakeConcourse
from tests.worker.running import REPOSITORY, Running, eventually
from tests.worker.test_agent import assert_every_report_is_final_and_none_came_twice

pytestmark = pytest.mark.slow
CONTEXT = "concourse/validate"


def says(command: str) -> dict[str, str | None]:
    """A task file; the fake runs its command on this host."""
    config = f"""
platform: linux
rootfs_uri: raw:///
inputs: [{{name: config}}]
run: {{path: sh, args: [-c, "{command}"]}}
"""
    return {"ci/validate.yml": config}


@pytest.fixture
def concourse() -> Iterator[FakeConcourse]:
    with FakeConcourse() as fake:
        yield fake


@pytest.fixture
def validated(agent: Running, concourse: FakeConcourse) -> Running:
    configure(agent, concourse)
    return agent


def configure(agent: Running, concourse: FakeConcourse, **settings: object) -> None:
    (agent.path / "concourse-password").write_text(PASSWORD)
    given = {"address": concourse.url, "username": USER, "password_file": f"{agent.path}/concourse-password", **settings}
    lines = "\n".join(f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in given.items())
    agent.configure(targets=f"[environments.test.validation]\n{lines}\n{agent.target('pages')}")


def started(concourse: FakeConcourse) -> int:
    return len(concourse.builds)


def test_red_applies_nothing_and_green_is_applied(validated, concourse):
    validated.start()
    red = validated.author.push(says("echo line 3: no such upstream; exit 1") | {"pages/index.html": "one"})
    validated.settled(red, "error")
    said = "validation: build 1 failed: line 3: no such upstream"
    assert validated.gitea.statuses(REPOSITORY, red, "gitops/test")[-1][1] == said
    eventually(lambda: validated.state(red, CONTEXT) == "failure")
    row = next(row for row in validated.repository.statuses[red] if row["context"] == CONTEXT)
    assert row["target_url"] == f"{concourse.url}/builds/1"
    assert validated.published("pages", "index.html") is None
    green = validated.author.push(says("true"))
    validated.settled(green)
    eventually(lambda: validated.state(green, CONTEXT) == "success")
    assert validated.published("pages", "index.html") == "one"
    assert started(concourse) == 2
    assert_every_report_is_final_and_none_came_twice(validated)


def test_the_build_has_exactly_the_files_of_the_commit(validated, concourse):
    """It knows no repository and no password: whatever is pushed meanwhile, it cannot get."""
    validated.start()
    task = says("cd config && test -x run && ./run && find -type f | sort | tr -d '\\n'; exit 1")
    sha = validated.author.push(task | {"pages/index.html": "one", "run": "#!/bin/sh\necho no-bom", "pages/a b": ""})
    validated.settled(sha, "error")
    said = validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1]
    assert said == "validation: build 1 failed: ./ci/validate.yml./pages/a b./pages/index.html./run"
    assert validated.git_server.url("") not in str(concourse.builds[1].plan)


def test_a_commit_does_not_decide_how_it_is_judged(validated):
    """Failure mode 18: the task file that counts is the one that was applied."""
    validated.start()
    verdict = validated.path / "red"
    validated.settled(validated.author.push(says(f"test ! -e {verdict}") | {"pages/a": "1"}))
    verdict.touch()
    sly = validated.author.push(says("true") | {"pages/a": "2"})
    validated.settled(sly, "error")
    assert validated.published("pages", "a") == "1"


def test_files_that_were_found_good_are_not_validated_again(validated, concourse):
    """A revert goes through while Concourse is down."""
    validated.start()
    validated.settled(validated.author.push(says("true") | {"pages/a": "1"}))
    validated.settled(validated.author.push({"pages/a": "2"}))
    assert started(concourse) == 2
    concourse.stop()
    back = validated.author.push({"pages/a": "1"})
    validated.settled(back)
    assert validated.published("pages", "a") == "1"
    eventually(lambda: validated.gitea.statuses(REPOSITORY, back, CONTEXT) == [
        ("success", "the same files were found good before")
    ])  # fmt: skip


def test_concourse_away_is_said_and_tried_again(validated, concourse):
    concourse.stop()
    validated.start()
    sha = validated.author.push(says("true") | {"pages/a": "1"})
    validated.settled(sha, "error")
    assert "concourse cannot be reached" in validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1]
    assert validated.published("pages", "a") is None
    concourse.begin()
    validated.settled(sha)
    eventually(lambda: validated.state(sha, CONTEXT) == "success")


def test_concourse_stopped_in_the_middle_of_a_build_goes_on_with_that_build(validated, concourse):
    validated.start()
    sha = validated.author.push(says("sleep 4") | {"pages/a": "1"})
    eventually(lambda: validated.state(sha, CONTEXT) == "pending")
    concourse.stop()
    validated.settled(sha, "error")
    concourse.begin()
    validated.settled(sha)
    assert started(concourse) == 1


def test_the_deadline_ends_it(validated, concourse):
    configure(validated, concourse, deadline="2s")
    validated.start()
    slow = validated.path / "slow"
    slow.touch()
    sha = validated.author.push(says(f"test ! -e {slow} || sleep 60") | {"pages/a": "1"})
    validated.settled(sha, "error")
    said = validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1]
    assert said == "validation: build 1 was given up after 2 s: it printed nothing; is there a worker?"
    eventually(lambda: concourse.builds[1].status == "aborted")
    slow.unlink()
    validated.settled(sha)


def test_without_a_worker_it_is_tried_again(validated, concourse):
    concourse.workers = False
    validated.start()
    sha = validated.author.push(says("true") | {"pages/a": "1"})
    validated.settled(sha, "error")
    assert "no workers satisfying: platform 'linux'" in validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1]
    concourse.workers = True
    validated.settled(sha)


def test_a_build_that_errs_is_tried_again_and_says_why(validated, concourse):
    validated.start()
    sha = validated.author.push({"ci/validate.yml": "platform: linux\nrun: {path: 'true'}\n", "pages/a": "1"})
    validated.settled(sha, "error")
    assert "build 1 errored: rootfs must not be empty" in validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1]
    eventually(lambda: started(concourse) == 2, what="another try")


def test_a_build_that_somebody_aborts_is_not_started_again_but_by_sync(validated, concourse):
    validated.start()
    sha = validated.author.push(says("sleep 60") | {"pages/a": "1"})
    eventually(lambda: validated.state(sha, CONTEXT) == "pending")
    concourse.builds[1].abort()
    validated.settled(sha, "error")
    assert validated.environment()["next_attempt"] is None
    validated.api("/environments/test/sync", {})
    eventually(lambda: started(concourse) == 2)


def test_a_newer_commit_aborts_the_build_of_the_older(validated, concourse):
    """Failure mode 42."""
    validated.start()
    old = validated.author.push(says("sleep 60") | {"pages/a": "1"})
    eventually(lambda: validated.state(old, CONTEXT) == "pending")
    new = validated.author.push(says("true"))
    validated.settled(new)
    validated.settled(old, "skipped")
    eventually(lambda: validated.state(old, CONTEXT) == "skipped")
    eventually(lambda: concourse.builds[1].status == "aborted")
    assert_every_report_is_final_and_none_came_twice(validated)


def test_advisory_stops_nothing(validated, concourse):
    configure(validated, concourse, policy="advisory")
    validated.start()
    sha = validated.author.push(says("exit 1") | {"pages/a": "1"})
    validated.settled(sha)
    eventually(lambda: validated.state(sha, CONTEXT) == "failure")
    assert validated.published("pages", "a") == "1"
    validated.settled(validated.author.push({"ci/validate.yml": "[]"}))


def test_where_one_off_builds_are_refused_the_pinned_job_does_it(validated, concourse):
    concourse.one_off = False
    validated.start()
    for number in ("1", "2"):
        sha = validated.author.push(says("true") | {"pages/a": number})
        validated.settled(sha)
        assert validated.published("pages", "a") == number
        pipeline = concourse.pipelines.all["main", "gitops-validate-test"]
        assert pipeline.config["jobs"][0]["plan"][0] == {"get": "config", "version": {"ref": sha}}
        assert not pipeline.paused
    eventually(lambda: validated.state(sha, CONTEXT) == "success")


def test_no_task_file_is_the_authors_mistake(validated):
    validated.start()
    sha = validated.author.push({"pages/a": "1"})
    validated.settled(sha, "error")
    said = validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1]
    assert said == "ci/validate.yml: the task file that validates commits is not there"


def test_skipping_it_is_recorded(validated, concourse):
    validated.start()
    sha = validated.author.push(says("sleep 60") | {"pages/a": "1"})
    eventually(lambda: validated.state(sha, CONTEXT) == "pending")
    validated.api("/environments/test/sync", {"skip_gate": True})
    validated.settled(sha)
    assert validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1].endswith("(gate skipped)")


@pytest.mark.parametrize("end", [Running.kill, Running.stop])
def test_ended_while_it_is_validated_the_next_agent_goes_on_with_that_build(validated, concourse, end):
    """Failure mode 64."""
    validated.start()
    sha = validated.author.push(says("sleep 2") | {"pages/a": "1"})
    eventually(lambda: validated.state(sha, CONTEXT) == "pending")
    end(validated)
    validated.start()
    validated.settled(sha)
    eventually(lambda: validated.gitea.statuses(REPOSITORY, sha, CONTEXT) == [
        ("pending", "build 1 runs"), ("success", "found good")
    ])  # fmt: skip
    assert started(concourse) == 1


def test_killed_and_overtaken_the_next_agent_aborts_that_build(validated, concourse):
    validated.start()
    old = validated.author.push(says("sleep 60") | {"pages/a": "1"})
    eventually(lambda: validated.state(old, CONTEXT) == "pending")
    validated.kill()
    new = validated.author.push(says("true"))
    validated.start()
    validated.settled(new)
    eventually(lambda: concourse.builds[1].status == "aborted")
    eventually(lambda: validated.state(old, CONTEXT) == "skipped")


def test_a_build_that_concourse_has_forgotten_is_made_anew(validated, concourse):
    slow = validated.path / "slow"
    slow.touch()
    validated.start()
    sha = validated.author.push(says(f"test ! -e {slow} || sleep 60") | {"pages/a": "1"})
    eventually(lambda: validated.state(sha, CONTEXT) == "pending")
    validated.kill()
    concourse.builds.pop(1).abort()
    slow.unlink()
    validated.start()
    validated.settled(sha, "error")
    assert "knows build 1 no longer" in validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1]
    validated.settled(sha)


def test_what_is_advisory_is_said_by_the_next_agent_too(validated, concourse):
    configure(validated, concourse, policy="advisory")
    validated.start()
    sha = validated.author.push(says("sleep 2; exit 1") | {"pages/a": "1"})
    validated.settled(sha)
    validated.kill()
    validated.start()
    said = [("failure", "build 1 failed: exit status 1")]  # whether the killed one had come to say "pending" is open
    eventually(lambda: validated.gitea.statuses(REPOSITORY, sha, CONTEXT)[-1:] == said)
    assert started(concourse) == 1


def test_the_task_is_told_what_changed_since_files_that_were_found_good(validated, concourse):
    says_what = says("echo told $GITOPS_AGENT_CHANGED; exit ${GITOPS_AGENT_CHANGED:+1}")
    validated.start()
    first = validated.author.push(says_what | {"pages/a": "1", "pages/gone": "1"})
    validated.settled(first)
    second = validated.author.push({"pages/a": "2", "pages/gone": None, "new/b": "1"})
    validated.settled(second, "error")
    told = concourse.builds[2].plan["do"][-1]["task"]["config"]["params"]
    assert told == {"GITOPS_AGENT_CHANGED": "new/b\npages/a\npages/gone"}
    said = validated.gitea.statuses(REPOSITORY, second, "gitops/test")[-1][1]
    assert said == "validation: build 2 failed: told new/b pages/a pages/gone"


def test_a_task_that_asks_for_that_is_sent_the_files_in_a_variable_while_they_are_few(validated, concourse):
    look = "echo $GITOPS_AGENT_PACKED | base64 -d | tar -xz; cat pages/a pages/sub/b; exit 1"
    packed = {"platform": "linux", "rootfs_uri": "raw:///", "params": {"GITOPS_AGENT_PACKED": "", "MORE": "said"}}
    task = {**packed, "inputs": [{"name": "config", "path": "."}], "run": {"path": "sh", "args": ["-c", look]}}
    validated.start()
    sha = validated.author.push({"ci/validate.yml": json.dumps(task), "pages/a": "one, ", "pages/sub/b": "two"})
    validated.settled(sha, "error")
    (step,) = concourse.builds[1].plan["do"]
    assert step["task"]["config"]["inputs"] == []
    assert step["task"]["config"]["params"]["MORE"] == "said"
    said = validated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1]
    assert said == "validation: build 1 failed: one, two"
    assert not concourse.artifacts
    many = validated.author.push({"pages/more": secrets.token_hex(100_000)})
    validated.settled(many, "error")
    assert concourse.builds[2].plan["do"][-1]["task"]["config"] == task
    assert set(concourse.artifacts) == {1}


def test_the_task_file_that_init_writes_judges_what_was_pushed(validated, concourse):
    task = yaml.safe_load(Path("repo-template/ci/validate.yaml").read_text())
    here = {"rootfs_uri": "raw:///", "run": {"path": sys.executable, "args": ["-m", "gitops_agent", *task["run"]["args"]]}}
    secret = "password = hunter2hunter2"  # not-a-secret
    broken = {"ci/validate.yml": json.dumps({**task, **here}), "pages/a": "1", "pages/b": secret}
    validated.start()
    red = validated.author.push(broken)
    validated.settled(red, "error")
    said = validated.gitea.statuses(REPOSITORY, red, "gitops/test")[-1][1]
    assert said.startswith("validation: build 1 failed: ✗ files pages/b:1: looks like a password")
    validated.settled(validated.author.push({"pages/b": None}))
    validated.settled(validated.author.push({"pages/a": "2"}))
    told = [build.plan["do"][-1]["task"]["config"]["params"] for build in concourse.builds.values()]
    assert [each.get("GITOPS_AGENT_CHANGED") for each in told] == [None, None, "pages/a"]
    assert all(each["GITOPS_AGENT_PACKED"] for each in told)


def test_files_that_nobody_has_judged_are_judged_whole(validated, concourse):
    validated.configure(targets=validated.target("pages"))
    validated.start()
    validated.settled(validated.author.push(says("exit 1") | {"pages/a": "1"}))
    validated.stop()
    configure(validated, concourse)
    validated.start()
    validated.settled(validated.author.push({"pages/a": "2"}), "error")
    assert "params" not in concourse.builds[1].plan["do"][-1]["task"]["config"]


def test_apply_says_what_became_of_an_advisory_validation(validated, concourse):
    configure(validated, concourse, policy="advisory")
    sha = validated.author.push(says("sleep 1") | {"pages/a": "1"})
    command = [sys.executable, "-m", "gitops_agent", "apply", "--config", str(validated.path / "agent.toml")]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 3
    assert validated.published("pages", "a") == "1"
    assert validated.state(sha, CONTEXT) == "success"
