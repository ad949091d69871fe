"""Finds the line of a key in TOML. tomllib does not keep positions; for error messages a look at the headers is enough."""

from __future__ import annotations

import re
from collections import Counter
from typing import TypeAlias

Key: TypeAlias = tuple[int | str, ...]
"""A path through the document; an int is a position in an array of tables."""

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
_ASSIGNMENT = re.compile(r"""^\s*("[^"]*"|'[^']*'|[\w.-]+)\s*=""")


def line_of(text: str, key: Key) -> int:
    """The line (from 1) of the key, or of the nearest table around it that is written out."""
    best, best_length = 1, 0
    table: Key = ()
    arrays: Counter[Key] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        here = table
        if header := _HEADER.match(line):
            table = here = _indexed(_parts(header[2]), arrays, is_array=header[1] == "[[")
        elif assignment := _ASSIGNMENT.match(line):
            here = (*table, *_parts(assignment[1]))
        if len(here) > best_length and key[: len(here)] == here:
            best, best_length = number, len(here)
    return best


def _parts(dotted: str) -> Key:
    return tuple(part.strip().strip("\"'") for part in re.findall(r""""[^"]*"|'[^']*'|[^.]+""", dotted))


def _indexed(parts: Key, arrays: Counter[Key], *, is_array: bool) -> Key:
    """The header's path with the positions of the arrays it stands in."""
    path: Key = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if is_array and index == len(parts) - 1:
            arrays[path] += 1
        if arrays[path]:
            path = (*path, arrays[path] - 1)
    return path
