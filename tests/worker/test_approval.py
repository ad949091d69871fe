"""The agent as a process where plans need approval: what waits, what approval covers, and what becomes of what nobody approved."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.worker.running import REPOSITORY, Running, eventually
from tests.worker.test_agent import assert_every_report_is_final_and_none_came_twice

pytestmark = pytest.mark.slow


@pytest.fixture
def careful(agent: Running) -> Running:
    agent.configure(approve="manual")
    return agent


def awaiting(agent: Running, sha: str) -> str:
    """The digest of the plan of that commit, once the agent asks for approval of it."""

    def digest() -> str:
        asked = agent.environment()["awaiting"]
        return asked["digest"] if asked and asked["revision"]["sha"] == sha else ""

    found = str(eventually(digest, what=f"approval asked for; {agent.environment()}"))
    text = f"awaits approval: gitops-agent approve test {found}"
    eventually(lambda: agent.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1:] == [("pending", text)], what="the status")
    return found


def refused(agent: Running, digest: str) -> str:
    token = (agent.path / "state/token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    status, answer = agent._ask("/api/v1/environments/test/approve", headers, {"digest": digest})
    assert status == 409, answer
    return str(json.loads(answer)["error"])


def approve(agent: Running, digest: str) -> None:
    agent.api("/environments/test/approve", {"digest": digest})


def test_nothing_is_written_until_exactly_that_plan_is_approved(careful):
    careful.start()
    sha = careful.author.push({"pages/index.html": "one"})
    digest = awaiting(careful, sha)
    assert careful.published("pages", "index.html") is None
    run = careful.api(f"/runs/{careful.environment()['awaiting']['id']}")
    assert (run["outcome"], run["plans"][0]["summary"]) == ("awaiting", "1 created")
    careful.api("/environments/test/sync", {})
    eventually(lambda: len(careful.api("/runs")["runs"]) == 2)
    assert awaiting(careful, sha) == digest, "a sync does not get around it"
    assert "is not the plan" in refused(careful, "0" * 12)
    approve(careful, digest)
    careful.settled(sha)
    assert careful.published("pages", "index.html") == "one"
    assert careful.environment()["awaiting"] is None
    assert "no plan" in refused(careful, digest)
    assert [state for state, _ in careful.gitea.statuses(REPOSITORY, sha, "gitops/test")] == ["pending", "pending", "success"]


def test_when_the_live_state_moves_the_new_plan_needs_its_own_approval(careful):
    """Failure mode 44."""
    careful.configure(approve="manual", targets=careful.target("pages", drift="ignore"))
    careful.start()
    approve(careful, awaiting(careful, careful.author.push({"pages/index.html": "one"})))
    eventually(lambda: careful.published("pages", "index.html") == "one")
    sha = careful.author.push({"pages/index.html": "two"})
    digest = awaiting(careful, sha)
    (careful.path / "pages/current/index.html").write_text("by hand")
    approve(careful, digest)
    moved = eventually(lambda: (new := awaiting(careful, sha)) != digest and new, what="another digest")
    assert careful.published("pages", "index.html") == "by hand"
    approve(careful, moved)
    careful.settled(sha)
    assert careful.published("pages", "index.html") == "two"


def test_a_newer_commit_takes_the_place_of_a_plan_that_nobody_approved(careful):
    """And so does a revert, which has nothing to be approved; no commit stays pending for ever."""
    careful.start()
    approve(careful, awaiting(careful, careful.author.push({"pages/index.html": "one"})))
    eventually(lambda: careful.published("pages", "index.html") == "one")
    first = careful.author.push({"pages/index.html": "two"})
    digest = awaiting(careful, first)
    second = careful.author.push({"pages/index.html": "three"})
    assert awaiting(careful, second) != digest
    careful.settled(first, "skipped")
    assert "is not the plan" in refused(careful, digest)
    back = careful.author.push({"pages/index.html": "one"})
    careful.settled(back)
    careful.settled(second, "skipped")
    assert careful.environment()["awaiting"] is None
    assert careful.published("pages", "index.html") == "one"
    eventually(lambda: careful.state(back, "gitops/test") == "success")


def test_it_waits_across_restarts_and_says_so_once(careful):
    """Failure mode 64."""
    careful.start()
    sha = careful.author.push({"pages/index.html": "one"})
    digest = awaiting(careful, sha)
    for end in (careful.kill, careful.stop):
        end()
        careful.start()
        assert awaiting(careful, sha) == digest
    approve(careful, digest)
    careful.kill()
    careful.start()
    careful.settled(sha)
    assert careful.published("pages", "index.html") == "one"
    assert [state for state, _ in careful.gitea.statuses(REPOSITORY, sha, "gitops/test")] == ["pending", "pending", "success"]


def test_killed_while_an_approved_plan_is_carried_out_the_rest_is_not_asked_about_again(careful):
    targets = careful.target("slow", verify=["sleep", "1.5"]) + careful.target("pages")
    careful.configure(approve="manual", targets=targets)
    careful.start()
    sha = careful.author.push({"slow/a": "1", "pages/a": "1"})
    approve(careful, awaiting(careful, sha))
    eventually(lambda: careful.published("slow", "a") == "1")
    careful.kill()
    assert careful.published("pages", "a") is None
    careful.start()
    careful.settled(sha)
    assert careful.published("pages", "a") == "1"
    assert_every_report_is_final_and_none_came_twice_but_pending(careful)


def assert_every_report_is_final_and_none_came_twice_but_pending(agent: Running) -> None:
    for rows in agent.repository.statuses.values():
        rows[:] = [row for row in rows if not row["description"].startswith("awaits approval")]
    assert_every_report_is_final_and_none_came_twice(agent)


def test_drift_is_healed_to_what_was_approved_while_another_plan_waits(careful):
    careful.start()
    approve(careful, awaiting(careful, careful.author.push({"pages/index.html": "one"})))
    eventually(lambda: careful.published("pages", "index.html") == "one")
    sha = careful.author.push({"pages/index.html": "two"})
    digest = awaiting(careful, sha)
    (careful.path / "pages/current/index.html").write_text("by hand")
    eventually(lambda: careful.published("pages", "index.html") == "one")
    approve(careful, digest)
    careful.settled(sha)


def test_nobody_is_asked_about_half_a_plan(careful):
    """What cannot be planned yet ends the run before approval is asked for."""
    careful.configure(approve="manual", targets=careful.target("pages", secrets=["file:*"]))
    careful.start()
    sha = careful.author.push({"pages/a.j2": '{{ secret("file:password") }}'})
    careful.settled(sha, "error")
    assert careful.environment()["awaiting"] is None
    secrets = careful.path / "state/secrets"
    secrets.mkdir(exist_ok=True)
    (secrets / "password").write_text("now-it-is-there")
    approve(careful, awaiting(careful, sha))
    careful.settled(sha)


def test_approval_is_consent_as_well(careful):
    """Failure mode 30: who reads «would delete everything» and approves is not asked a second time in other words."""
    careful.start()
    approve(careful, awaiting(careful, careful.author.push({f"pages/{n}": "x" for n in range(12)})))
    eventually(lambda: careful.published("pages", "11") == "x")
    sha = careful.author.push({f"pages/{n}": None for n in range(1, 12)})
    approve(careful, awaiting(careful, sha))
    careful.settled(sha)
    assert careful.published("pages", "11") is None


def test_the_command_approves_and_waits_for_the_outcome(careful):
    careful.start()
    sha = careful.author.push({"pages/index.html": "one"})
    digest = awaiting(careful, sha)
    command = [sys.executable, "-m", "gitops_agent", "approve", "test", digest, "--config", careful.path / "agent.toml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "success" in done.stdout) == (0, True), done.stdout + done.stderr
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (again.returncode, "no plan of test awaits approval" in again.stderr) == (1, True)
