"""The comment's text: size, order, and what it says of errors."""

from __future__ import annotations

import pytest

from gitops_agent.gitea import Pull
from gitops_agent.preview.comment import compose, over, stale, summary
from gitops_agent.preview.markdown import fenced
from gitops_agent.preview.request import Answer, Section

BASE, HEAD = "b" * 40, "a" * 40


def section(name: str, text: str, said: str = "") -> Section:
    return Section(name, "1 updated", 1, text, live=False, said=said)


@pytest.mark.parametrize("text", ["plain", "```", "````\n`````", "`" * 400, "~~~\n```diff"])
def test_a_fence_is_longer_than_any_run_of_backticks(text: str) -> None:
    first, *inside, last = fenced(text, 10_000).split("\n")
    assert first == f"{last}text"
    assert set(last) == {"`"}
    assert all(last not in line for line in inside)


def test_whole_lines_are_kept_and_the_others_counted() -> None:
    assert fenced("one\ntwo\nthree", 8) == "```text\none\ntwo\n```\n\n**… 1 more lines are not shown.**"
    assert fenced("é" * 10, 5).endswith("**… 1 more lines are not shown.**"), "in bytes"


def test_a_comment_never_gets_too_large() -> None:
    """Failure mode 56."""
    text = "\n".join("x" * 399 for _ in range(5000))
    sections = tuple(section(f"target-{number}", text, "would be refused: " + "y" * 900) for number in range(40))
    body = compose("test", "main", Answer(BASE, HEAD, sections=sections))
    assert len(body.encode()) <= 60_000
    assert body.count("are not shown.**") == 40


def test_stale_keeps_the_first_line_and_the_plan() -> None:
    body = compose("test", "main", Answer(BASE, HEAD, sections=(section("pages", "  ~ update x"),)))
    marked = stale(body, "the branch has moved since.")
    assert marked.split("\n")[0] == body.split("\n")[0] == "<!-- gitops-agent preview of test -->"
    assert "> **Stale:** the branch has moved since." in marked
    assert "  ~ update x" in marked


def test_what_is_said_in_a_status() -> None:
    assert (
        summary(Answer(BASE, HEAD, sections=(section("pages", ""), section("consul", "")))) == "pages: 1 updated; consul: 1 updated"
    )
    refused = section("pages", "", "would be refused: pages: would delete everything (2 owned)")
    assert summary(Answer(BASE, HEAD, sections=(refused,))) == "pages would be refused; pages: 1 updated"
    assert summary(Answer(BASE, HEAD)) == "no changes"


def test_the_end() -> None:
    assert "Merged as `cccccccccc`" in over("test", "main", Pull(1, "", open=False, merged="c" * 40))
    assert "Closed without being merged" in over("test", "main", Pull(1, "", open=False))
    assert "No longer meant for `main`" in over("test", "main", Pull(1, "", open=True, base="other"))
