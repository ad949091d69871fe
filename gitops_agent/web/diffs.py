"""A change's diff line by line, so that the page can number and colour it. Knows the format of `plan.diff`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_KINDS = {"+": "added", "-": "removed", " ": "same"}


@dataclass(frozen=True)
class Line:
    """`kind`: `field` (a path, with `before` and `after` where it is one value), `hunk`, `added`, `removed`, `same` or `note`.
    Numbers are those of the line before and after, None where it is not there."""

    kind: str
    text: str
    old: int | None = None
    new: int | None = None
    before: str = ""
    after: str = ""


def lines(diff: str) -> Iterator[Line]:
    """A `+` or `-` counts only inside a hunk: a field's name may begin with either."""
    old, new = 0, 0
    inside = False
    for text in diff.splitlines():
        hunk = _HUNK.match(text)
        if hunk is not None:
            inside = True
            old, new = int(hunk[1]), int(hunk[2])
            yield Line("hunk", text)
        elif inside and text[:1] in _KINDS:
            kind = _KINDS[text[0]]
            yield Line(kind, text[1:], None if kind == "added" else old, None if kind == "removed" else new)
            old += kind != "added"
            new += kind != "removed"
        else:
            inside = False
            yield _field(text)


def _field(text: str) -> Line:
    path, colon, value = text.partition(": ")
    if text.startswith("…") or not (colon or text.endswith(":")):
        return Line("note", text)
    before, arrow, after = value.partition(" → ")
    return Line("field", path.removesuffix(":"), before=before if arrow else "", after=after if arrow else value)
