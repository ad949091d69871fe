"""What a program reads and another writes, seen by the whole agent."""

from __future__ import annotations

import time

import pytest

from tests.worker.running import Running, eventually

pytestmark = pytest.mark.slow


def test_a_file_that_changes_again_and_again_is_followed_each_time(agent: Running) -> None:
    """Nobody undoes what the agent did, so it does not hold back as it does with those who do."""
    upstreams, loaded = agent.path / "upstreams", agent.path / "loaded"
    upstreams.mkdir()
    (upstreams / "app.conf").write_text("0")
    command = ["cp", str(upstreams / "app.conf"), str(loaded)]
    agent.configure(targets=agent.target("pages", reload=command, reads=[str(upstreams)]))
    agent.start()
    agent.settled(agent.author.push({"pages/index.html": "one"}))
    took = []
    for number in range(1, 7):
        began = time.monotonic()
        (upstreams / "app.conf").write_text(str(number))
        eventually(lambda number=number: loaded.read_text() == str(number), what="the program was told")
        took.append(time.monotonic() - began)
    assert sorted(took)[-2] < 2, took  # held back it would be 0.3, 2, 4, 8 … seconds
