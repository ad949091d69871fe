"""`rollback` where the branch is protected: by a pull request in Gitea, followed until it is merged and applied."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

import pytest

from tests.worker.running import REPOSITORY, TOKEN, Running, eventually

pytestmark = pytest.mark.slow


def merge(agent: Running, number: int) -> None:
    request = urllib.request.Request(
        f"{agent.gitea.url}/api/v1/repos/{REPOSITORY}/pulls/{number}/merge",
        b'{"Do": "merge"}',
        {"Authorization": f"token {TOKEN}"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def test_a_protected_branch_goes_back_by_a_pull_request(agent: Running) -> None:
    agent.configure(gitea_pages="https://git.example.org")
    agent.start()
    agent.settled(agent.author.push({"pages/a": "1"}))
    bad = agent.author.push({"pages/a": "2"}, "the bad one")
    agent.settled(bad)
    hook = agent.git_server.repository(REPOSITORY) / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    refusal = """while read -r _ _ ref; do
[ "$ref" != refs/heads/main ] || { echo; echo "error:"; echo "error: Not allowed to push to protected branch main"; exit 1; } >&2
done"""
    hook.write_text(f"#!/bin/sh\n{refusal}\n")
    hook.chmod(0o755)
    command = [sys.executable, "-m", "gitops_agent", "rollback", "--yes", "--config", str(agent.path / "agent.toml")]
    rollback = subprocess.Popen(
        [*command, "--why", "it is bad", "--author", "Ann <ann@example.org>"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        eventually(lambda: agent.repository.pulls or rollback.poll() is not None)
        assert rollback.poll() is None, rollback.communicate()[0]
        (pull,) = agent.repository.pulls
        assert (pull["base"], pull["title"].startswith("Roll back to ")) == ("main", True)
        assert pull["body"] == f"it is bad\n\nAnn <ann@example.org> takes back:\n\n- {bad} the bad one\n"
        assert agent.published("pages", "a") == "2", "nothing changes before somebody merges"
        merge(agent, 1)
        told, _ = rollback.communicate(timeout=30)
    finally:
        rollback.kill()
        rollback.wait()
    assert rollback.returncode == 0, told
    assert f"https://git.example.org/{REPOSITORY}/pulls/1" in told
    assert agent.published("pages", "a") == "1"
    merged = agent.repository.pulls[0]["merge_commit_sha"]
    agent.settled(merged)
    assert agent.environment()["last_applied_revision"]["sha"] == merged
