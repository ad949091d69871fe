"""The agent as a process where others' statuses have to be green before the first write."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.request
import uuid

import pytest

from tests.worker.running import REPOSITORY, TOKEN, Running, eventually
from tests.worker.test_agent import assert_every_report_is_final_and_none_came_twice

pytestmark = pytest.mark.slow


@pytest.fixture
def gated(agent: Running) -> Running:
    agent.configure(requires=["ci/*"], requires_poll="100ms")
    return agent


def say(agent: Running, sha: str, state: str, context: str = "ci/test") -> None:
    """What a CI does."""
    request = urllib.request.Request(
        f"{agent.gitea.url}/api/v1/repos/{REPOSITORY}/statuses/{sha}",
        json.dumps({"state": state, "context": context}).encode(),
        {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def tell(agent: Running, sha: str, context: str) -> int:
    """Gitea's webhook for a status (payload of 1.26.3, shortened); the HTTP status of the answer."""
    body = json.dumps(
        {"id": 1, "sha": sha, "state": "success", "context": context, "repository": {"full_name": REPOSITORY}}
    ).encode()
    secret = (agent.path / "webhook-secret").read_bytes()
    headers = {
        "X-Gitea-Event": "status",
        "X-Gitea-Delivery": str(uuid.uuid4()),
        "X-Gitea-Signature": hmac.new(secret, body, hashlib.sha256).hexdigest(),
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{agent.port}/webhook/gitea", body, {"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def waits(agent: Running, sha: str, text: str) -> None:
    eventually(lambda: agent.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1:] == [("pending", f"waiting for {text}")])


def test_nothing_is_written_before_the_others_are_green(gated):
    gated.start()
    sha = gated.author.push({"pages/index.html": "one"})
    waits(gated, sha, "ci/*")
    say(gated, sha, "pending")
    waits(gated, sha, "ci/test")
    assert gated.published("pages", "index.html") is None
    say(gated, sha, "success")
    gated.settled(sha)
    assert gated.published("pages", "index.html") == "one"


def test_red_stops_it_and_green_again_lets_it_go_on(gated):
    """A CI run again by hand: the agent is told, and does not wait for its back-off."""
    gated.start()
    sha = gated.author.push({"pages/index.html": "one"})
    say(gated, sha, "failure")
    gated.settled(sha, "error")
    assert gated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1] == "ci/test is failure"
    assert gated.published("pages", "index.html") is None
    say(gated, sha, "success")
    assert tell(gated, sha, "ci/test") == 202
    gated.settled(sha)


def test_the_webhook_of_a_status_ends_the_wait_at_once(gated):
    gated.configure(requires=["ci/*"], requires_poll="1h")
    gated.start()
    sha = gated.author.push({"pages/index.html": "one"})
    waits(gated, sha, "ci/*")
    say(gated, sha, "success")
    assert tell(gated, sha, "deploy/elsewhere") == 422, "nobody waits for that"
    assert tell(gated, sha, "gitops/test") == 422, "its own words come back to it this way"
    assert tell(gated, sha, "ci/test") == 202
    gated.settled(sha)


def test_the_deadline_counts_from_the_first_look(gated):
    gated.configure(requires=["ci/*"], requires_poll="100ms", requires_deadline="500ms")
    gated.start()
    sha = gated.author.push({"pages/index.html": "one"})
    gated.settled(sha, "error")
    assert gated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1] == "not green within 0.5 s: ci/*"
    say(gated, sha, "success")
    gated.settled(sha)  # with the next attempt


def test_a_newer_commit_does_not_wait_for_the_older_ones_ci(gated):
    """Failure mode 42."""
    gated.start()
    old = gated.author.push({"pages/index.html": "one"})
    waits(gated, old, "ci/*")
    new = gated.author.push({"pages/index.html": "two"})
    say(gated, new, "success")
    gated.settled(new)
    gated.settled(old, "skipped")
    assert gated.published("pages", "index.html") == "two"


def test_a_mistake_is_said_before_anybody_waits(gated):
    gated.start()
    gated.settled(gated.author.push({"pages/index.html.j2": "{{ missing }}"}), "error")


def test_skipping_the_gate_is_recorded_also_while_a_run_waits(gated):
    gated.start()
    sha = gated.author.push({"pages/index.html": "one"})
    waits(gated, sha, "ci/*")
    gated.api("/environments/test/sync", {"skip_gate": True})
    gated.settled(sha)
    assert gated.gitea.statuses(REPOSITORY, sha, "gitops/test")[-1][1].endswith("(gate skipped)")
    waits(gated, gated.author.push({"pages/index.html": "two"}), "ci/*")
    assert gated.published("pages", "index.html") == "one", "it was for once"


def test_killed_at_the_gate_it_waits_there_again(gated):
    """Failure mode 64."""
    gated.start()
    sha = gated.author.push({"pages/index.html": "one"})
    waits(gated, sha, "ci/*")
    gated.kill()
    gated.start()
    say(gated, sha, "success")
    gated.settled(sha)
    for rows in gated.repository.statuses.values():
        rows[:] = [row for row in rows if not row["description"].startswith("waiting for")]
    assert_every_report_is_final_and_none_came_twice(gated)


def test_drift_is_healed_without_asking_anybody(gated):
    gated.start()
    sha = gated.author.push({"pages/index.html": "one"})
    say(gated, sha, "success")
    gated.settled(sha)
    say(gated, sha, "failure")
    (gated.path / "pages/current/index.html").write_text("by hand")
    eventually(lambda: gated.published("pages", "index.html") == "one")
