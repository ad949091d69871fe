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


def test_a_directory_that_is_left_out_may_be_anothers(tmp_path: Path) -> None:
    """A hand-made Compose project has the configuration of its programs in directories of its own."""
    around = f'kind = "compose"\nname = "compose"\nproject = "p"\ndirectory = "{tmp_path}/site"\n'
    inside = f'kind = "files"\nname = "web"\ndirectory = "{tmp_path}/site/web"\n'
    file = tmp_path / "agent.toml"

    def made(*ignored: str) -> None:
        head = f'state = "{tmp_path}/state"\n[environments.test]\nsource = "{tmp_path}/repository"\n'
        table = "[[environments.test.targets]]\n"
        file.write_text(f"{head}{table}{around}ignore = {[*ignored]!r}\n{table}{inside}")
        app.reconciler(load(file), "test").close()

    made("web/*")
    for some_of_it in ("web/conf.d/*", "web/*.conf", "web", "other/*"):
        with pytest.raises(ConfigError, match="targets compose and web may both own"):
            made(some_of_it)
