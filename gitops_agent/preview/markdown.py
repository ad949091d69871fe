"""Text that strangers wrote, put into markdown so that it stays text: no markup, no mention, no reference, no marker."""

from __future__ import annotations

import re

from gitops_agent.plan.diff import visible

_TICKS = re.compile(r"`+")


def fenced(text: str, most: int) -> str:
    """A block of code with as many whole lines of `text` as fit in `most` bytes, and how many do not. The fence is longer than any
    run of backticks in it, so nothing in it ends it (CommonMark 0.31, 4.5).

    Nothing is masked here: where it comes from there was no secret, and a mask would tell strangers which of their guesses is one.
    """
    lines = [visible(line) for line in text.split("\n")]
    kept: list[str] = []
    room = most
    for line in lines:
        room -= len(line.encode(errors="replace")) + 1
        if room < 0:
            break
        kept.append(line)
    fence = "`" * max(3, *(len(run) + 1 for line in kept for run in _TICKS.findall(line)), 3)
    left = len(lines) - len(kept)
    block = f"{fence}text\n" + "".join(f"{line}\n" for line in kept) + fence
    return f"{block}\n\n**… {left} more lines are not shown.**" if left else block
