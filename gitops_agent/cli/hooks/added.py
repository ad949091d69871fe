"""Lines that a diff adds, with where they are: `git diff` and `git log --patch --cc`, both with `--unified=0`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HUNK = re.compile(r"(@@+) .*?\+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True)
class Line:
    """`commit` begins the place in a log (`1a2b3c4d `) and is empty in a diff; `number` counts from 1."""

    commit: str
    file: str
    number: int
    text: str


def lines(diff: str) -> Iterator[Line]:
    """A merge's lines count when they are in none of its parents."""
    commit = file = ""
    parents = number = 0  # no parents: not in a hunk
    for line in diff.split("\n"):
        if hunk := _HUNK.match(line):
            parents, number = len(hunk[1]) - 1, int(hunk[2])
        elif parents and line[:1] in {"+", "-", " "}:
            marks = line[:parents]
            if set(marks) == {"+"}:
                yield Line(commit, file, number, line[parents:])
            number += "-" not in marks
        elif line.startswith("\\"):
            continue  # no newline at the end
        else:
            parents = 0
            if line.startswith("commit "):
                commit = f"{line[7:15]} "
            elif line.startswith("+++ b/"):
                file = line.removeprefix("+++ b/").rstrip("\t")
