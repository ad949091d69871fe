"""One running agent a test, with somebody who proposes changes."""

from __future__ import annotations

import pytest

from tests.preview.proposing import Proposals
from tests.worker.conftest import agent  # noqa: F401
from tests.worker.running import Running


@pytest.fixture
def proposals(agent: Running) -> Proposals:  # noqa: F811
    """With one page on the branch. Not started yet."""
    agent.author.push({"pages/index.html": "one\n"})
    return Proposals(agent)
