"""The gate on a real Gitea and a real Concourse: approval, statuses that others post, validation red and green, Concourse away.

Beside what tests/live/gitea.py and tests/concourse/conftest.py ask for: CONCOURSE_LIVE_STOP and CONCOURSE_LIVE_START may name shell
commands that stop and start its web node.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.live.gitea import LiveGitea
from tests.live.test_agent import Agent
from tests.worker.running import eventually

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("GITEA_LIVE" not in os.environ, reason="GITEA_LIVE names no Gitea"),
]
CONTEXT = "concourse/validate"
_CONCOURSE = pytest.mark.skipif("CONCOURSE_LIVE" not in os.environ, reason="CONCOURSE_LIVE names no Concourse")


@pytest.fixture
def agent(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Agent]:
    built = Agent(tmp_path, LiveGitea(), free_port())
    yield built
    built.stop()


def described(agent: Agent, sha: str, context: str = "gitops/live") -> str:
    rows = agent.live.combined(agent.repository, sha)["statuses"] or []  # null where there is none
    return next((f"{row['status']}: {row['description']}" for row in rows if row["context"] == context), "")


def ask(agent: Agent, path: str, body: object = None) -> dict[str, object]:
    token = (agent.directory / "state/token").read_text().strip()
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{agent.url}/api/v1/environments/live{path}", data, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.loads(answer.read()))


def hook(agent: Agent, *events: str) -> None:
    config = {"url": f"{agent.url}/webhook/gitea", "content_type": "json", "secret": agent.secret}
    form = {"type": "gitea", "active": True, "config": config, "events": list(events)}
    agent.live.ask("POST", f"/repos/{agent.repository}/hooks", form)


def test_the_webhook_of_anothers_status_opens_the_gate(agent: Agent) -> None:
    sha = agent.clone.push("one")
    agent.start('requires = ["ci/*"]\nrequires_poll = "1h"')
    hook(agent, "push", "status")
    eventually(lambda: described(agent, sha) == "pending: waiting for ci/*")
    form = {"state": "success", "context": "ci/test", "description": "all well"}
    agent.live.ask("POST", f"/repos/{agent.repository}/statuses/{sha}", form)
    agent.says(sha, "success")
    red = agent.clone.push("two")
    agent.live.ask("POST", f"/repos/{agent.repository}/statuses/{red}", {**form, "state": "failure"})
    agent.says(red, "error")
    assert agent.published() == "one"
    agent.live.ask("POST", f"/repos/{agent.repository}/statuses/{red}", form)
    agent.says(red, "success")
    assert agent.published() == "two"


def test_a_plan_waits_for_its_approval(agent: Agent) -> None:
    first = agent.clone.push("one")
    agent.start('approve = "manual"')
    hook(agent, "push")
    eventually(lambda: described(agent, first).startswith("pending: awaits approval: gitops-agent approve live "))
    second = agent.clone.push("two")
    eventually(lambda: described(agent, second).startswith("pending: awaits approval"))
    agent.says(first, "skipped")
    assert agent.live.combined(agent.repository, first)["state"] == "success"
    assert agent.published() == ""
    ask(agent, "/approve", {"digest": described(agent, second).rpartition(" ")[2]})
    agent.says(second, "success")
    assert agent.published() == "two"


_TASK = """
platform: linux
{image}
inputs: [{{name: config}}]
run:
  path: sh
  args:
    - -c
    - |
      cd config/pages
      if grep -q slow index.html; then echo begun; sleep 12; fi
      if grep -q forbidden index.html; then echo "index.html:1: forbidden word"; exit 1; fi
"""


def validated(agent: Agent) -> None:
    """The task file is there, one page was found good and is applied."""
    (agent.directory / "password").write_text(os.environ["CONCOURSE_PASSWORD"])
    image = "\n".join(f"{key}: {json.dumps(value)}" for key, value in json.loads(os.environ["CONCOURSE_IMAGE"]).items())
    agent.clone.push("one")
    sha = agent.clone.push(_TASK.format(image=image), "ci/validate.yml")
    agent.start(f"""
[environments.live.validation]
address = "{os.environ["CONCOURSE_LIVE"]}"
username = "{os.environ["CONCOURSE_USER"]}"
password_file = "{agent.directory}/password"
deadline = "90s"
""")
    hook(agent, "push")
    eventually(lambda: described(agent, sha).startswith("success"), 90, described(agent, sha))


@_CONCOURSE
def test_red_applies_nothing_and_green_is_applied(agent: Agent) -> None:
    validated(agent)
    for text in ("two", "three", "four"):
        sha = agent.clone.push(text)
        pushed = time.monotonic()
        eventually(lambda text=text: agent.published() == text, 60)
        print(f"push returned → applied with validation: {time.monotonic() - pushed:.2f} s; {described(agent, sha, CONTEXT)}")  # noqa: T201
        agent.says(sha, "success")
    red = agent.clone.push("forbidden")
    eventually(lambda: described(agent, red).startswith("error: validation: build"), 60)
    assert described(agent, red).endswith("failed: index.html:1: forbidden word")
    eventually(lambda: described(agent, red, CONTEXT).startswith("failure"))
    (row,) = (row for row in agent.live.combined(agent.repository, red)["statuses"] if row["context"] == CONTEXT)
    pages = requests.get(f"{os.environ['CONCOURSE_LIVE']}/api/v1/info", timeout=30).json()["external_url"]
    assert row["target_url"].startswith(f"{pages}/builds/")
    assert agent.published() == "four"
    agent.clone.git("revert", "--no-edit", "HEAD")
    agent.clone.send()
    reverted = agent.clone.git("rev-parse", "HEAD")
    agent.says(reverted, "success")
    assert described(agent, reverted, CONTEXT) == "success: the same files were found good before"


@_CONCOURSE
@pytest.mark.timeout(300)  # its web node takes its time to end
@pytest.mark.skipif("CONCOURSE_LIVE_STOP" not in os.environ, reason="CONCOURSE_LIVE_STOP names no command")
def test_concourse_stopped_in_the_middle_of_a_build(agent: Agent) -> None:
    validated(agent)
    sha = agent.clone.push("slow")
    eventually(lambda: described(agent, sha, CONTEXT).startswith("pending: build"), 30)
    build = described(agent, sha, CONTEXT).split()[2]
    shell("CONCOURSE_LIVE_STOP")
    try:
        eventually(lambda: described(agent, sha).startswith("error: concourse cannot be reached"), 30)
        assert agent.published() == "one"
    finally:
        shell("CONCOURSE_LIVE_START")
    eventually(lambda: described(agent, sha).startswith("success"), 120)
    assert agent.published() == "slow"
    (row,) = (row for row in agent.live.combined(agent.repository, sha)["statuses"] if row["context"] == CONTEXT)
    assert row["target_url"].endswith(f"/builds/{build}"), "it went on with that build"


def shell(name: str) -> None:
    subprocess.run(os.environ[name], shell=True, check=True, timeout=120)
