"""One agent, several environments: what hangs in one is nobody else's affair."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.running import REPOSITORY, Running, eventually

pytestmark = pytest.mark.slow
HANGING = ("one", "two", "three")


def environment(agent: Running, name: str, check: str) -> str:
    return f"""
[environments.{name}]
source = "{agent.git_server.url(REPOSITORY)}"
gitea = "{agent.gitea.url}"
token_file = "{agent.path}/bot-token"
refs = "{agent.git_server.repository(REPOSITORY)}"
[[environments.{name}.targets]]
kind = "files"
name = "pages"
directory = "{agent.path}/{name}"
check = {check}
"""


def test_what_hangs_holds_up_no_other_environment(agent: Running, tmp_path: Path) -> None:
    """Failure mode 50: three of four hang before their first write; the fourth applies one commit after the other."""
    free = tmp_path / "free"
    hang = f'["sh", "-c", "until test -e {free}; do sleep 0.1; done"]'
    agent.configure(targets=agent.target("pages") + "".join(environment(agent, name, hang) for name in HANGING))
    agent.start()
    for number in range(3):
        sha = agent.author.push({"pages/a": str(number)})
        agent.settled(sha)
        assert agent.published("pages", "a") == str(number)
    hung = [agent.state(sha, f"gitops/{name}") for name in HANGING]
    assert not {"success", "failure", "error"} & {*hung}, hung
    assert not [name for name in HANGING if agent.published(name, "a")]
    free.touch()
    for name in HANGING:
        eventually(lambda name=name: agent.state(sha, f"gitops/{name}") == "success")  # type: ignore[misc]
        assert agent.published(name, "a") == "2"
