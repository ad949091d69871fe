"""The whole agent on a real Gitea: webhook, watched ref, revert, and Gitea away; what people see beside their commit."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.gitea import Clone, LiveGitea
from tests.worker.running import eventually

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("GITEA_LIVE" not in os.environ, reason="GITEA_LIVE names no Gitea"),
]


class Agent:
    """`gitops-agent serve` with one target of kind files. It polls once an hour: whatever it notices, somebody told it."""

    def __init__(self, directory: Path, live: LiveGitea, port: int) -> None:
        self.directory = directory
        self.live = live
        self.url = f"http://127.0.0.1:{port}"
        self.repository = live.repository()
        token = live.token("write:repository")
        (directory / "clone").mkdir()
        self.clone = Clone(directory / "clone", f"{live.url}/{self.repository}.git", token)
        self.secret = secrets.token_hex(16)
        (directory / "token").write_text(token)
        (directory / "webhook-secret").write_text(self.secret)
        self.port = port

    def start(self, more: str = "") -> None:
        (self.directory / "agent.toml").write_text(f"""
state = "{self.directory}/state"
[serve]
listen = "127.0.0.1:{self.port}"
[environments.live]
source = "{self.clone.remote}"
token_file = "{self.directory}/token"
webhook_secret_file = "{self.directory}/webhook-secret"
poll = "1h"
{more}
[[environments.live.targets]]
kind = "files"
name = "pages"
directory = "{self.directory}/pages"
""")
        command = [sys.executable, "-m", "gitops_agent", "serve", "--config", str(self.directory / "agent.toml")]
        self.log = (self.directory / "agent.log").open("ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def add_hook(self) -> None:
        config = {"url": f"{self.url}/webhook/gitea", "content_type": "json", "secret": self.secret}
        form = {"type": "gitea", "active": True, "config": config, "events": ["push"], "branch_filter": "main"}
        self.live.ask("POST", f"/repos/{self.repository}/hooks", form)

    def published(self) -> str:
        try:
            return (self.directory / "pages/current/index.html").read_text()
        except OSError:
            return ""

    def says(self, sha: str, state: str) -> None:
        def said() -> bool:
            return self.live.history(self.repository, sha, "gitops/live")[-1:] == [state]

        eventually(said, what=f"{sha[:10]} {state}; log: {(self.directory / 'agent.log').read_text()}")


@pytest.fixture
def agent(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Agent]:
    built = Agent(tmp_path, LiveGitea(), free_port())
    yield built
    built.stop()


def test_a_push_is_delivered_applied_and_shown_and_so_is_its_revert(agent: Agent) -> None:
    """Failure modes 49 and 51, by a signed webhook alone."""
    first = agent.clone.push("one")
    agent.start()
    agent.says(first, "success")
    agent.add_hook()
    second = agent.clone.push("two")
    agent.says(second, "success")
    assert agent.published() == "two"
    broken = agent.clone.push("{{ nobody.knows.this }}", "pages/other.html.j2")
    agent.says(broken, "error")
    (status,) = agent.live.combined(agent.repository, broken)["statuses"]
    assert "pages/other.html.j2:1" in status["description"], "file and line for the author"
    assert status["target_url"].startswith(f"{agent.url}/runs/")
    assert agent.published() == "two"
    agent.clone.git("revert", "--no-edit", "HEAD")
    agent.clone.send()
    reverted = agent.clone.git("rev-parse", "HEAD")
    agent.says(reverted, "success")
    shown = {sha: agent.live.combined(agent.repository, sha)["state"] for sha in (first, second, broken, reverted)}
    assert list(shown.values()) == ["success", "success", "failure", "success"], "Gitea calls an error a failure"
    for sha in (first, second, broken, reverted):
        said = agent.live.history(agent.repository, sha, "gitops/live")
        assert len(said) == len(set(said)), f"said twice: {said}"


@pytest.mark.skipif("GITEA_LIVE_REPOSITORIES" not in os.environ, reason="GITEA_LIVE_REPOSITORIES names no directory")
def test_the_ref_on_giteas_own_disk_is_noticed(agent: Agent) -> None:
    first = agent.clone.push("one")
    agent.start(f'refs = "{os.environ["GITEA_LIVE_REPOSITORIES"]}/{agent.repository}.git"')
    agent.says(first, "success")
    for text in ("two", "three"):
        sha = agent.clone.push(text)
        eventually(lambda text=text: agent.published() == text, timeout=2)
        agent.says(sha, "success")


@pytest.mark.skipif("GITEA_LIVE_STOP" not in os.environ, reason="GITEA_LIVE_STOP names no command")
def test_while_gitea_is_away_drift_is_healed_and_the_next_push_is_seen(agent: Agent) -> None:
    """Failure modes 3 and 5: nothing is pruned, nothing crashes."""
    first = agent.clone.push("one")
    agent.start()
    agent.says(first, "success")
    agent.add_hook()
    second = agent.clone.push("two")
    agent.says(second, "success")
    agent.live.stop()
    try:
        (agent.directory / "pages/current/index.html").write_text("by hand")
        eventually(lambda: agent.published() == "two", what="healed without Gitea")
        time.sleep(1)  # Gitea stays away for a moment
        assert agent.process.poll() is None
    finally:
        agent.live.start()
    third = agent.clone.push("three")
    agent.says(third, "success")
    assert agent.published() == "three"
    for sha in (first, second, third):
        said = agent.live.history(agent.repository, sha, "gitops/live")
        assert len(said) == len(set(said)), f"said twice: {said}"
