"""A run's steps as bars on a common axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_agent.model import Run, Step
from gitops_agent.moments import duration

_THINNEST = 0.5
"""Per cent: a step of a millisecond in a run of a minute is still to be seen."""
_TICKS = 5


@dataclass(frozen=True)
class Bar:
    """`left` and `width` are per cent of the axis. `tone` is the phase, or how the step ended where it did not end well."""

    name: str
    tone: str
    left: float
    width: float
    seconds: float
    after: float
    """Seconds from the start of the run."""
    outcome: str
    detail: str


@dataclass(frozen=True)
class Timeline:
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    """Where on the axis in per cent, and what is written there."""
    seconds: float


def timeline(run: Run, now: float) -> Timeline:
    """Steps in the order they began. A run in progress gets a last bar, from its last finished step until `now`."""
    steps = sorted(run.steps, key=lambda step: step.started)
    if not run.ended and run.outcome is None:
        since = max((step.ended for step in steps), default=run.started)
        steps.append(Step("…", since, now, "running"))
    end = max([run.ended, *(step.ended for step in steps)])
    begin = min([run.started, *(step.started for step in steps)])
    total = max(end - begin, 0.001)
    bars = tuple(_bar(step, begin, total) for step in steps)
    return Timeline(bars, tuple(_ticks(total)), total)


def _bar(step: Step, begin: float, total: float) -> Bar:
    seconds = max(step.ended - step.started, 0.0)
    width = min(max(100 * seconds / total, _THINNEST), 100)
    left = min(100 * (step.started - begin) / total, 100 - width)
    phase = step.name.partition(" ")[0]
    tone = step.outcome if step.outcome != "ok" else phase if phase in {"apply", "health"} else "reading"
    return Bar(step.name, tone, max(left, 0.0), width, seconds, step.started - begin, step.outcome, step.detail)


def _ticks(total: float) -> Iterator[tuple[float, str]]:
    """At 1, 2 or 5 times a power of ten: at most six of them, never so near the end that their text leaves the page."""
    raw = total / _TICKS
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    for index in range(_TICKS + 1):
        at = index * step
        if at <= total * 0.96:
            yield 100 * at / total, "0" if index == 0 else duration(at)
