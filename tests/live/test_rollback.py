"""`rollback` on a real Gitea: pushed where the branch takes it, by a pull request where it is protected."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.live.test_agent import Agent, agent  # noqa: F401 -- the fixture
from tests.worker.running import eventually

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("GITEA_LIVE" not in os.environ, reason="GITEA_LIVE names no Gitea"),
]


def rollback(agent: Agent, *options: str) -> subprocess.Popen[str]:  # noqa: F811
    command = [sys.executable, "-m", "gitops_agent", "rollback", "--yes", "--config", str(agent.directory / "agent.toml"), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_push_and_then_a_pull_request_on_the_protected_branch(agent: Agent) -> None:  # noqa: F811
    agent.clone.push("one")
    agent.start()
    agent.add_hook()
    second = agent.clone.push("two")
    agent.says(second, "success")
    back = rollback(agent, "--why", "two was wrong")
    told, _ = back.communicate(timeout=60)
    assert back.returncode == 0, told
    assert agent.published() == "one"
    agent.clone.git("pull", "--quiet", "--rebase", agent.clone.remote, "main")
    third = agent.clone.push("three")
    agent.says(third, "success")
    agent.live.ask("POST", f"/repos/{agent.repository}/branch_protections", {"rule_name": "main", "enable_push": False})
    back = rollback(agent, second, "--why", "and so was three")
    try:
        pulls = eventually(lambda: agent.live.ask("GET", f"/repos/{agent.repository}/pulls"), what="a pull request")
        assert agent.published() == "three"
        agent.live.ask("POST", f"/repos/{agent.repository}/pulls/{pulls[0]['number']}/merge", {"Do": "merge"})
        told, _ = back.communicate(timeout=60)
    finally:
        back.kill()
        back.wait()
    assert back.returncode == 0, told
    assert pulls[0]["html_url"] in told
    assert agent.published() == "two"
    merged = agent.live.ask("GET", f"/repos/{agent.repository}/pulls/{pulls[0]['number']}")["merge_commit_sha"]
    agent.says(merged, "success")
