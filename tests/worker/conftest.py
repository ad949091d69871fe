"""One running agent a test, ended with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.gitea import FakeGitea
from tests.gitserver import GitServer
from tests.worker.running import TOKEN, Running


@pytest.fixture
def agent(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Running]:
    """Not started yet: a test says what it needs first."""
    git_server = GitServer(tmp_path / "git", TOKEN)
    with FakeGitea() as gitea:
        running = Running(tmp_path, git_server, gitea, free_port())
        yield running
        running.stop()
    git_server.stop()
