"""Diffs stay readable, quick and harmless, whatever is in the content. How they look is in the golden plans."""

from __future__ import annotations

import time

import pytest

from gitops_agent.model import Resource, State
from gitops_agent.plan import compare
from gitops_agent.plan.diff import diff, visible
from gitops_agent.secret import SHOWN, remember


def test_long_diffs_are_cut_and_say_so() -> None:
    lines = diff({}, {"content": "".join(f"{number}\n" for number in range(1000))}).splitlines()
    assert len(lines) == 401
    assert lines[-1] == "… 602 more lines"


def test_long_lines_are_cut_and_say_so() -> None:
    assert diff({"a": "x" * 1000}, {"a": "y"}) == f'a: "{"x" * 396}… (1011 characters)'


def test_files_that_are_too_long_are_not_compared() -> None:
    before, after = ("".join(f"{number} {name}\n" for number in range(15_000)) for name in "ab")
    started = time.process_time()
    assert diff({"content": before}, {"content": after}) == "content:\n@@ 15000 lines become 15000: too many to compare @@"
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"port": 80}, {"port": "80"}, 'port: 80 → "80"'),
        ({"data": b"\xff\x00"}, {"data": b"text"}, 'data: "(2 bytes)" → "text"'),
        ({"a": {}}, {}, "a: {} → (absent)"),
        ({}, {"a": {}}, "a: {}"),
        ({"a": {"b": 1}}, {"a": 1}, 'a: {"b": 1} → 1'),
        ({"a": "x\n"}, {"a": "x"}, "a:\n@@ -1 +1,2 @@\n x\n+\\ no line end"),
        ({"a": "x\r\n"}, {"a": "x\n"}, "a:\n@@ -1 +1 @@\n-x\\r\n+x"),
        ({"a.b": 1, "a": {"b": 1}}, {"a.b": 2, "a": {"b": 1}}, "a.b: 1 → 2"),
        ({"a": [1, {"b": b"x"}]}, {"a": [2]}, 'a: [1, {"b": "x"}] → [2]'),
    ],
)
def test_small_differences_are_seen(before: dict[str, object], after: dict[str, object], shown: str) -> None:
    assert diff(before, after) == shown


def test_nothing_acts_on_the_terminal_of_who_reads_it() -> None:
    hostile = "a\x1b]0;title\x07\x1b[2J\x9b31m\u202eb\u2066c\x00\x7f\td"
    shown = diff({"a": hostile, "b": f"{hostile}\n"}, {"a": "x", "b": "x\n"})
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    assert visible("one\ntwo\rthree") == "one\\ntwo\\rthree"
    plan = compare("t", State.of(Resource("kv:\x1b[2Jname\nforged line", {"a": 1})), State())
    assert all(character.isprintable() or character in "\n\t" for character in plan.text())
    assert len(plan.text().splitlines()) == 3


def test_secrets_are_masked_before_lines_are_cut() -> None:
    """Failure mode 56: half of a value is not recognised any more."""
    value = "diff-canary-" + "v" * 40
    remember(value)
    for length in range(380, 410):
        shown = diff(
            {"a": "x", "b": "\n", "c": []}, {"a": "." * length + value, "b": "." * length + value + "\n", "c": [[value] * 9]}
        )
        assert "diff-canary" not in shown
    assert diff({"a": value}, {"a": "x"}) == f'a: "{SHOWN}" → "x"'


@pytest.mark.slow
def test_ten_thousand_resources_take_no_time() -> None:
    def state(value: str) -> State:
        names = [f"kv:mini/{number}" for number in range(10_000)]
        return State({name: Resource(name, {"value": f"{value} {name}", "flags": 0, "meta": {"a": [1, 2]}}) for name in names})

    old, new, same = state("old"), state("new"), state("old")
    assert _seconds(lambda: compare("t", same, old)) < 0.3
    assert _seconds(lambda: compare("t", new, old, applied=lambda: old).digest) < 3


def _seconds(act: object) -> float:
    assert callable(act)
    started = time.process_time()
    act()
    return time.process_time() - started
