"""Whose turn it is."""

from __future__ import annotations

import pytest

from gitops_agent.gitea import Pull
from gitops_agent.preview import Queue


def pull(number: int, head: str = "h1", onto: str = "b1") -> Pull:
    return Pull(number, "", open=True, head=head, base="main", onto=onto)


def look(queue: Queue, one: Pull, now: float, *, well: bool = True, again: bool = False, moved: int | None = None) -> None:
    queue.began(one, now)
    queue.ended(one, base=one.onto, well=well, again=again, moved=moved)


def test_each_once_the_one_that_waited_longest_first() -> None:
    queue = Queue(10, 3600)
    assert queue.next([pull(2), pull(1)], 0) == pull(2)
    look(queue, pull(2), 0)
    assert queue.next([pull(2), pull(1)], 1) == pull(1)
    look(queue, pull(1), 1)
    assert queue.next([pull(2), pull(1)], 100) is None
    assert queue.wait([pull(2), pull(1)], 100) == float("inf")
    assert queue.next([pull(1, "h2"), pull(2, "h2")], 100) == pull(2, "h2")


def test_one_that_keeps_changing_waits_for_the_others() -> None:
    queue = Queue(10, 3600)
    look(queue, pull(1), 0)
    assert queue.next([pull(1, "h2")], 9) is None
    assert queue.wait([pull(1, "h2")], 9) == pytest.approx(1)
    assert queue.next([pull(1, "h2"), pull(2)], 10) == pull(2)


def test_one_that_costs_much_waits_longer_each_time() -> None:
    queue = Queue(10, 3600)
    now, waits = 0.0, []
    for number in range(10):
        look(queue, pull(1, f"h{number}"), now, well=False)
        waits.append(queue.wait([pull(1, "next")], now))
        now += waits[-1]
    assert waits[:4] == [20, 40, 80, 160]
    assert waits[-1] == 900
    look(queue, pull(1, "good"), now)
    assert queue.wait([pull(1, "next")], now) == 10


def test_a_branch_or_a_system_that_moved() -> None:
    queue = Queue(0, 60)
    look(queue, pull(1), 0)
    look(queue, pull(2), 0, moved=0)
    assert queue.stale(pull(1, onto="b2")) == "base"
    assert queue.next([pull(1, onto="b2")], 1) == pull(1, onto="b2")
    queue.moved += 1
    assert (queue.stale(pull(1)), queue.stale(pull(2))) == ("", "live")
    look(queue, pull(2), 5, moved=1)
    assert queue.next([pull(1), pull(2)], 64) is None
    assert queue.next([pull(1), pull(2)], 65) == pull(2)


def test_what_came_to_nothing_is_due_again() -> None:
    queue = Queue(10, 3600)
    queue.began(pull(1), 0)
    assert queue.next([pull(1)], 10) == pull(1)
    look(queue, pull(1), 10, again=True)
    assert queue.next([pull(1)], 20) == pull(1)
    queue.keep([])
    assert queue.known() == set()
