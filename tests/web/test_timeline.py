"""Bars on a common axis, and diffs by line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitops_agent.model import Step
from gitops_agent.plan.diff import diff
from gitops_agent.web.diffs import Line, lines
from gitops_agent.web.timeline import timeline
from tests.web.world import run

moments = st.floats(0, 100_000, allow_nan=False)


def test_bars_lie_where_the_steps_were() -> None:
    steps = (Step("plan nginx", 102.0, 104.0), Step("read", 100.0, 101.0), Step("apply nginx", 104.0, 110.0, "failed", "no"))
    made = timeline(run(started=100.0, ended=110.0, steps=steps), now=0)
    assert [(bar.name, bar.tone, bar.left, bar.width) for bar in made.bars] == [
        ("read", "reading", 0, 10),
        ("plan nginx", "reading", 20, 20),
        ("apply nginx", "failed", 40, 60),
    ]
    assert made.ticks == ((0.0, "0"), (20.0, "2.0 s"), (40.0, "4.0 s"), (60.0, "6.0 s"), (80.0, "8.0 s"))


def test_run_in_progress_reaches_until_now() -> None:
    made = timeline(run(started=100.0, ended=0.0, outcome=None, steps=(Step("read", 100.0, 101.0),)), now=104.0)
    assert [(bar.name, bar.left, bar.width) for bar in made.bars] == [("read", 0, 25), ("…", 25, 75)]


@given(st.lists(st.tuples(moments, moments)), moments, moments)
def test_nothing_leaves_the_axis(steps: list[tuple[float, float]], started: float, ended: float) -> None:
    """Clocks jump: a step may end before it began, a run before its steps."""
    made = timeline(run(started=started, ended=ended, steps=tuple(Step("read", *step) for step in steps)), now=started)
    assert made.seconds > 0
    assert 1 <= len(made.ticks) <= 6
    for bar in made.bars:
        assert bar.left >= 0
        assert 0 < bar.width <= 100
        assert bar.left + bar.width <= 100.001
        assert bar.seconds >= 0


def test_lines_are_numbered_and_told_apart() -> None:
    before = {"content": "one\ntwo\nthree\n", "mode": 420, "-odd": 1}
    after = {"content": "one\n2\n+ three\n", "mode": 384, "-odd": 2, "new": 3}
    assert list(lines(diff(before, after))) == [
        Line("field", "content"),
        Line("hunk", "@@ -1,3 +1,3 @@"),
        Line("same", "one", 1, 1),
        Line("removed", "two", 2, None),
        Line("removed", "three", 3, None),
        Line("added", "2", None, 2),
        Line("added", "+ three", None, 3),
        Line("field", "mode", before="420", after="384"),
        Line("field", "-odd", before="1", after="2"),
        Line("field", "new", after="3"),
    ]


def test_what_was_cut_is_a_note() -> None:
    assert list(lines("… 12 more lines")) == [Line("note", "… 12 more lines")]


@given(st.text())
def test_any_text_is_lines(text: str) -> None:
    assert len(list(lines(text))) == len(text.splitlines())
