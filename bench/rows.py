"""What the table is made of: rows, and how times become one number."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`value` and `raw` in ms unless `unit` says otherwise."""

    name: str
    value: float
    goal: str = ""
    raw: float | None = None
    unit: str = "ms"

    def __str__(self) -> str:
        ratio = f"{self.value / self.raw:6.2f}" if self.raw else " " * 6
        raw_text = f"{self.raw:9.1f}" if self.raw is not None else " " * 9
        return f"{self.name:<58}{self.value:9.1f} {self.unit:<4}{raw_text}  {ratio}  {self.goal}"


def p50(values: list[float]) -> float:
    return statistics.median(values) * 1000


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] * 1000


def timed(command: list[str], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return p50(times)


def repeated(work: Callable[[int], None], rounds: int) -> list[float]:
    times = []
    for number in range(rounds):
        started = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - started)
        time.sleep(0.01)  # below the rate limit
    return times
