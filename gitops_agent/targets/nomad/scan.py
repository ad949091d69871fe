"""Finds the job's name in HCL2 text without understanding the rest: which job a file declares must be known offline.

Comments, strings and heredocs are stepped over, braces are counted, and only a `job` block at the top counts. What it cannot see:
a job whose `id` attribute differs from its label, and mistakes of every other sort. Both are found by the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))
      |<<-?(?P<mark>\w+)[^\n]*\n.*?(?:^[ \t]*(?P=mark)[ \t]*$|\Z)
      |(?P<job>(?<![\w.-])job[ \t]+(?:"(?P<quoted>[^"\n]*)"|(?P<bare>[\w-]+))[ \t]*\{)
      |(?P<string>"(?:\\.|[^"\\\n])*")
      |(?P<open>[{(\[])
      |(?P<close>[})\]])""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


class JobBlock(NamedTuple):
    """`line` counts from 1."""

    name: str
    line: int


def jobs(text: str) -> Iterator[JobBlock]:
    """The `job` blocks at the top of a file."""
    depth = 0
    for token in _TOKEN.finditer(text):
        if token["job"]:
            if depth == 0:
                yield JobBlock(token["quoted"] or token["bare"] or "", text.count("\n", 0, token.start()) + 1)
            depth += 1
        elif token["open"]:
            depth += 1
        elif token["close"]:
            depth = max(0, depth - 1)
