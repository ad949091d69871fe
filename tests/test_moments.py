"""Times in words."""

from __future__ import annotations

import pytest

from gitops_agent import moments


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 ms"),
        (0.042, "42 ms"),
        (3.21, "3.2 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3780, "1 h 3 min"),
        (2 * 86400 - 60, "47 h 59 min"),
        (2 * 86400, "2 d"),
        (90 * 86400 - 3600, "89 d 23 h"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert moments.duration(seconds) == said
