"""The bucket and the memory of deliveries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitops_agent.web.limit import Bucket, Recent


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 20), st.floats(0.5, 10))
def test_never_more_than_burst_and_rate_allow(pauses: list[float], burst: int, rate: float) -> None:
    clock = Clock()
    bucket = Bucket(rate, burst, clock)
    taken = 0
    for pause in pauses:
        clock.now += pause
        taken += bucket.take()
    assert taken <= burst + rate * clock.now + 1e-6


def test_burst_at_once_then_rate() -> None:
    clock = Clock()
    bucket = Bucket(2, 3, clock)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    clock.now += 1
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    clock.now += 1000
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.text(max_size=3)), st.integers(1, 10))
def test_memory_is_bounded_and_knows_the_newest(texts: list[str], size: int) -> None:
    recent = Recent(size)
    for text in texts:
        recent.add(text)
        assert len(recent) <= size
        assert not recent.add(text)
