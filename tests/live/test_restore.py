"""`on_failure = "restore"` and signed commits, as people see them on a real Gitea."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.live.test_agent import Agent, agent  # noqa: F401 -- the fixture
from tests.worker.running import eventually

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("GITEA_LIVE" not in os.environ, reason="GITEA_LIVE names no Gitea"),
]


def shown(agent: Agent, sha: str) -> dict[str, str]:  # noqa: F811
    rows = agent.live.ask("GET", f"/repos/{agent.repository}/statuses/{sha}?limit=50&sort=highestindex")
    return {row["context"]: f"{row['status']}: {row['description']}" for row in rows}


def test_killed_on_the_way_back_the_commit_is_red_and_says_what_was_restored(agent: Agent) -> None:  # noqa: F811
    second = f"""
[[environments.live.targets]]
kind = "files"
name = "second"
directory = "{agent.directory}/second"
verify = ["sh", "-c", "! grep -q bad {{directory}}/a"]
"""
    (agent.directory / "clone/second").mkdir()
    (agent.directory / "clone/second/a").write_text("1")
    good = agent.clone.push("one")
    slow = agent.directory / "slow"
    first = f"""on_failure = "restore"
[[environments.live.targets]]
kind = "files"
name = "first"
folder = "pages"
directory = "{agent.directory}/first"
verify = ["sh", "-c", "test ! -e {slow} || sleep 1"]
{second}"""
    agent.start(first)
    agent.says(good, "success")
    slow.touch()
    (agent.directory / "clone/second/a").write_text("bad")
    agent.add_hook()
    bad = agent.clone.push("two")
    eventually(lambda: "bringing back" in shown(agent, bad).get("gitops/live", ""), what="red before it is over")
    agent.process.kill()
    agent.process.wait()
    agent.log.close()
    agent.start(first)
    eventually(lambda: "brought back" in shown(agent, bad)["gitops/live"], what="what was restored")
    assert shown(agent, bad)["gitops/live"] == f"failure: brought back {good[:10]}, begun in an earlier run"
    assert (agent.directory / "first/current/index.html").read_text() == "one"
    slow.unlink()
    (agent.directory / "clone/second/a").write_text("3")
    better = agent.clone.push("three")
    agent.says(better, "success")


def test_a_commit_that_gitea_made_counts_only_when_its_key_is_listed(agent: Agent) -> None:  # noqa: F811
    """Edited in Gitea's own pages: without a key of Gitea's such a commit is not signed."""
    key = agent.directory / "ann"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (agent.directory / "allowed").write_text(f"ann@example.org {key.with_suffix('.pub').read_text()}")
    for name, value in {"gpg.format": "ssh", "user.signingkey": str(key), "commit.gpgsign": "true"}.items():
        agent.clone.git("config", name, value)
    signed = agent.clone.push("one")
    agent.start(f'allowed_signers = "{agent.directory}/allowed"')
    agent.says(signed, "success")
    agent.add_hook()
    file = agent.live.ask("GET", f"/repos/{agent.repository}/contents/pages/index.html")
    edit = {"content": "dHdv", "sha": file["sha"], "message": "by hand in Gitea", "branch": "main"}
    made = agent.live.ask("PUT", f"/repos/{agent.repository}/contents/pages/index.html", edit)["commit"]["sha"]
    agent.says(made, "error")
    assert shown(agent, made)["gitops/live"] == f"error: commit {made[:10]} is not signed"
    assert agent.published() == "one"
