"""Failure mode 66: the host's clock jumps under a running agent, as after a Mac slept. Intervals and back-offs do not follow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.world import World, eventually

_SHIFTED = """
import time
from pathlib import Path
real, jump = time.time, Path({jump!r})
time.time = lambda: real() + float(jump.read_text())
from gitops_agent.cli import main
main()
"""
_DAY = 86400.0


def _jump(path: Path, seconds: float) -> None:
    new = path / "jump.new"
    new.write_text(str(seconds))
    new.replace(path / "jump")  # at once: the agent looks all the time


@pytest.fixture
def world(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[World]:
    made = World(tmp_path, free_port())
    made.configure(poll="1", resync="2", report='"none"')
    made.push({"pages/index.html": "one\n"})
    _jump(tmp_path, 0)
    made.serve("-c", _SHIFTED.format(jump=str(tmp_path / "jump")))
    yield made
    made.stop()


@pytest.mark.slow
def test_failure_mode_66_intervals_do_not_follow_a_clock_that_jumps(world: World) -> None:
    eventually(lambda: world.published("index.html") == "one\n")
    for number, jump in enumerate((-_DAY, 30 * _DAY, 0.0)):
        _jump(world.path, jump)
        world.push({"pages/index.html": f"{number}\n"})
        eventually(lambda wanted=f"{number}\n": world.published("index.html") == wanted)  # by the poll
        (world.pages / "current/index.html").write_text("drifted\n")
        eventually(lambda wanted=f"{number}\n": world.published("index.html") == wanted)  # by the resync
    world.push({"pages/bad.j2": "{{ nothing }}"})
    world.push({"pages/bad.j2": None, "pages/index.html": "last\n"})
    _jump(world.path, -_DAY)
    eventually(lambda: world.published("index.html") == "last\n")
