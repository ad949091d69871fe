"""A mini-cloud made by hand is taken over without anything being written, restarted or made anew; then a push changes one thing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adopt.handmade import Handmade, make_images
from tests.canary import Canary
from tests.conftest import ROOT

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _images(binary: Callable[[str], str]) -> None:
    make_images(binary)


@pytest.fixture
def handmade(tmp_path: Path, canary: Canary, free_port: Callable[[], int]) -> Iterator[Handmade]:
    made = Handmade(tmp_path, canary, free_port)
    made.write()
    try:
        made.up()
        yield made
    finally:
        made.down()


class Agent:
    """The commands as a person gives them; all that they print is watched."""

    def __init__(self, directory: Path, canary: Canary) -> None:
        self.repository = directory / "config"
        self.state = directory / "state"
        self._said: list[str] = []
        canary.watch(lambda: "\n".join(self._said), name="what the commands print")
        canary.watch(self.repository)

    def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        command = [ROOT / ".venv/bin/gitops-agent", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        self._said += [done.stdout, done.stderr]
        return done.returncode, done.stdout + done.stderr

    def adopt(self, *more: str | Path) -> tuple[int, str]:
        return self("adopt", self.repository, "--state", self.state, *more)

    def apply(self) -> dict[str, Any]:
        status, said = self("apply", "--config", self.repository / "agent/agent.toml", "--json")
        assert status in (0, 3), said
        found: dict[str, Any] = json.loads(said)
        return found

    def commit(self, message: str) -> None:
        for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", message]):
            subprocess.run(["git", "-C", str(self.repository), *command], check=True)


@pytest.fixture
def agent(tmp_path: Path, canary: Canary) -> Agent:
    return Agent(tmp_path, canary)


def test_nothing_is_touched_and_a_push_changes_one_thing(handmade: Handmade, agent: Agent) -> None:
    before = handmade.seen()
    status, said = agent.adopt("--project", handmade.project)
    assert status == 0, said
    assert handmade.seen() == before
    assert agent("check", agent.repository)[0] == 0

    agent.commit("As it was")
    assert {change["action"] for plan in agent.apply()["plans"] for change in plan["changes"]} == {"adopt"}
    assert handmade.seen() == before
    assert agent.apply()["plans"] == []
    assert handmade.seen() == before

    page = agent.repository / "nginx/nginx.conf"
    page.write_text(page.read_text().replace("first", "second"))
    agent.commit("Say something else")
    changes = [(plan["target"], change["action"], change["name"]) for plan in agent.apply()["plans"] for change in plan["changes"]]
    assert changes == [("nginx", "update", "nginx.conf")]
    assert handmade.page() == "second"
    after = handmade.seen()
    assert after["containers"] == before["containers"]
    changed = {path for path, file in after["files"].items() if file != before["files"][path]}
    assert changed == {str(handmade.directory / "nginx/nginx.conf")}
    inodes = {seen["files"][path][0] for seen in (before, after) for path in changed}
    assert len(inodes) == 1, "the container mounts that very file"
