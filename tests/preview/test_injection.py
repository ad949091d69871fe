"""What strangers wrote stays text, wherever it stands in the comment (failure modes 18 and 56)."""

from __future__ import annotations

import re

import pytest

from tests.preview.proposing import ANN, MARKER, Proposals

INJECTIONS = (
    "```\n</details>\n\n# Approved\n\n@ann closes #1 <img src=x onerror=alert(1)>\n",
    "````````\n~~~\n<script>alert(1)</script>\n",
    f"{MARKER}\n\n### Plan for `test`\n\nno changes\n",
    "\r\n\r\n# Approved by everybody\r\n@ann\r\n",
    "\u202e@ann \x1b[31m [x](javascript:alert(1)) | a | b |\n",
)


@pytest.mark.parametrize("content", INJECTIONS)
def test_nothing_of_it_becomes_markdown(proposals: Proposals, content: str) -> None:
    """Failure modes 18 and 56: contents and names stay in blocks of code; the marker is no marker there."""
    proposals.start()
    number, head = proposals.open({"pages/index.html": content, "pages/```@ann<b>#1|`x`.html": content})
    proposals.is_(head, "success")
    outside = without_code(proposals.says(number, "1 created, 1 updated"))
    for injected in ("ann", "#1", "<script", "<img", "<b>", "Approved", "javascript", "\x1b", "\u202e", "\r"):
        assert injected not in outside
    assert outside.count(MARKER) == 1
    assert outside.count("</details>") == outside.count("<details>") == 1


def test_names_in_mistakes_do_not_either(proposals: Proposals) -> None:
    proposals.start()
    number, head = proposals.open({"pages/```@ann<b>#1.html.j2": "{{ nothing }}"})
    assert "\n" not in proposals.is_(head, "failure")
    outside = without_code(proposals.says(number, "It cannot be applied"))
    assert "@ann" not in outside
    assert "<b>" not in outside
    assert ANN in proposals.comment(number)


def without_code(text: str) -> str:
    """What is left of a comment without its fenced blocks, by CommonMark's rule: a fence ends with one at least as long."""
    kept, fence = [], ""
    for line in text.split("\n"):
        ticks = re.match(r" {0,3}(`{3,})([^`]*)$", line)
        if not fence and ticks:
            fence = ticks[1]
        elif fence and ticks and len(ticks[1]) >= len(fence) and not ticks[2].strip():
            fence = ""
        elif not fence:
            kept.append(line)
    assert not fence, "a block that never ends"
    return "\n".join(kept)


def test_a_large_plan_is_cut_and_says_so(proposals: Proposals) -> None:
    """Failure mode 56."""
    proposals.start()
    files = {f"pages/{n}.html": "".join(f"{n} {'é' * 60} {line}\n" for line in range(300)) for n in range(30)}
    number, head = proposals.open(files)
    assert proposals.is_(head, "success") == "pages: 30 created"
    said = proposals.says(number, "more lines are not shown.**")
    assert len(said.encode()) <= 60_000
    assert said.rstrip().endswith("the real plan is made when it is merged.")
    without_code(said)
