"""A config repo of a mini-cloud that is nowhere yet, and the ground for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_agent import app
from gitops_agent.bootstrap import Blueprint, Credentials, Ground
from tests.cli.conftest import Cli, cli, here  # noqa: F401 -- fixtures
from tests.gitserver import git


@pytest.fixture
def repo(tmp_path: Path, here: Cli) -> Path:  # noqa: F811
    path = tmp_path / "repo"
    assert here("init", path, "--domain", "mini.test").status == 0
    (path / "values/mini-cloud.yaml").write_text(f"root: {tmp_path}/root\nwithout: [gitea, concourse-web, concourse-worker]\n")
    git("init", "--quiet", "--initial-branch=main", at=path)
    return path


@pytest.fixture
def ground(repo: Path) -> Iterator[Ground]:
    git("add", "--all", at=repo)
    git("commit", "--quiet", "--message", "Begin", at=repo)
    made = stand_on(Blueprint.read(repo))
    yield made
    made.close()


def stand_on(blueprint: Blueprint, credentials: Credentials | None = None) -> Ground:
    return Ground(
        blueprint, lambda settings, name, source: app.reconciler(settings, name, source=source), credentials or Credentials()
    )
