"""What is refused before anything runs: targets that would undo each other's work."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent import app
from gitops_agent.errors import ConfigError
from gitops_agent.settings import AgentSettings, load


def settings(path: Path, *directories: str) -> AgentSettings:
    targets = "".join(
        f'[[environments.test.targets]]\nkind = "files"\nname = "t{number}"\ndirectory = "{path}/{directory}"\n'
        for number, directory in enumerate(directories)
    )
    file = path / "agent.toml"
    file.write_text(f'state = "{path}/state"\n[environments.test]\nsource = "{path}/repository"\n{targets}')
    return load(file)


def test_targets_that_may_own_the_same_are_refused_by_every_command(tmp_path: Path) -> None:
    """Failure mode 16: also by `plan` and `apply`, which build one environment and no agent."""
    with pytest.raises(ConfigError, match=r"targets t0 and t1 may both own 'directory:.*site/conf.*; give each its own scope"):
        app.reconciler(settings(tmp_path, "site", "site/conf"), "test")


def test_neighbours_whose_names_begin_alike_are_none(tmp_path: Path) -> None:
    app.reconciler(settings(tmp_path, "site", "site-two"), "test").close()
