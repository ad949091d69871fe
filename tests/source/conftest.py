"""A git server, somebody who pushes to it, and sources that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.source import Remote, Source
from tests.gitserver import GitServer, author, git_server

__all__ = ["author", "git_server"]

Follow = Callable[..., Source]


@pytest.fixture
def follow(git_server: GitServer, tmp_path: Path) -> Iterator[Follow]:
    """`follow(url=…, timeout=…)`: a source of the environment `e`; the same mirror each time unless `state` says otherwise."""
    made: list[Source] = []

    def new(url: str = "", state: str = "state", **remote: object) -> Source:
        settings = {"timeout": 20, **remote}
        made.append(Source(Remote(url or git_server.url(), **settings), tmp_path / state, "e"))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for source in made:
        source.close()
