"""Failure mode 4: Gitea may not send webhooks to the agent's host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.doctor import gitea
from gitops_agent.settings import load
from gitops_agent.targets.gitea.settings import GiteaSettings
from tests.cli.world import World, eventually
from tests.doctor.conftest import bad
from tests.doctor.fake_stages import TOKEN
from tests.doctor.stage import STACK
from tests.fakes.gitea import FakeGitea


@pytest.fixture
def world(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[World]:
    made = World(tmp_path, free_port())
    (tmp_path / "secret").write_text("what-gitea-signs-with")
    made.configure(webhook_secret_file=f'"{tmp_path}/secret"', report='"none"', poll="1")
    made.push({"pages/index.html": "one\n"})
    made.serve()
    yield made
    made.stop()


@pytest.mark.slow
def test_failure_mode_4_blocked_deliveries_are_told_and_the_poll_goes_on(world: World, tmp_path: Path) -> None:
    with FakeGitea() as fake:  # delivers to public addresses only, as Gitea does unless it is told otherwise
        fake.add_user("ops", TOKEN)
        (tmp_path / "token").write_text(TOKEN)
        config = {"url": f"{world.url}/webhook/gitea", "content_type": "json", "secret": "what-gitea-signs-with"}
        hook = {"id": 1, "active": True, "config": config, "events": ["push"]}
        fake.add_repository("ops/config").hooks.append(hook)
        table = {"kind": "gitea", "name": "gitea", "address": fake.url, "token_file": tmp_path / "token", "source": "ops/config"}
        settings = GiteaSettings.model_validate(table)
        assert "a test delivery did not arrive" in bad(gitea.look(settings, load(world.toml), STACK))["webhook"]
        world.push({"pages/index.html": "two\n"})
        eventually(lambda: world.published("index.html") == "two\n")
        hook["active"] = False
        assert "has none that is active" in bad(gitea.look(settings, load(world.toml), STACK))["webhook"]
