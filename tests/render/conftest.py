"""One child process for all that does not break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitops_agent.render import Renderer


@pytest.fixture(scope="package")
def renderer() -> Iterator[Renderer]:
    renderer = Renderer()
    renderer.start()
    yield renderer
    renderer.close()
