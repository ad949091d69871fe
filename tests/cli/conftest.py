"""The real program, as people run it: a process of its own with its own arguments, streams and exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.world import World


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`cli("check", repo, cwd=…, env=…)` runs `gitops-agent check <repo>` to its end."""

    def run(*arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> Ended:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "gitops_agent", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd or tmp_path,
            env={**os.environ, "COLUMNS": "100", **(env or {})},
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def repo(tmp_path: Path, cli: Cli) -> Path:
    """A config repo made by `init`."""
    path = tmp_path / "repo"
    assert cli("init", path).status == 0
    return path


@pytest.fixture
def world(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[World]:
    """A host where nothing was applied yet, and no agent runs until `serve`."""
    made = World(tmp_path, free_port())
    made.push({"pages/index.html": "one\n"})
    yield made
    made.stop()
