"""The commands as people run them: `cli` as a process of its own, `here` in this one, which is ten times as fast."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_agent.cli import main
from tests.cli.world import World


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`cli("check", repo, cwd=…, env=…, stdin=…)` runs `gitops-agent check <repo>` to its end."""

    def run(*arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, stdin: str = "") -> Ended:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "gitops_agent", *map(str, arguments)],
            capture_output=True,
            text=True,
            input=stdin,
            cwd=cwd or tmp_path,
            env={**os.environ, "COLUMNS": "100", **(env or {})},
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Cli:
    """The same without a process: for commands that leave signals and logging alone."""

    def run(*arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> Ended:
        with monkeypatch.context() as patch:
            patch.chdir(cwd or tmp_path)
            patch.setattr(sys, "argv", ["gitops-agent", *map(str, arguments)])
            for name, value in {"COLUMNS": "100", **(env or {})}.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capfd.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def repo(tmp_path: Path, here: Cli) -> Path:
    """A config repo made by `init`."""
    path = tmp_path / "repo"
    assert here("init", "--small", path).status == 0
    return path


@pytest.fixture
def world(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[World]:
    """A host where nothing was applied yet, and no agent runs until `serve`."""
    made = World(tmp_path, free_port())
    made.push({"pages/index.html": "one\n"})
    yield made
    made.stop()
