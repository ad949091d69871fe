"""Differences for people: unified for texts, a line a field for structures."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from gitops_agent.model import Value

_ABSENT = object()
_LONGEST = 160
"""Characters of one value on a field line; a whole configuration in a field would hide the others."""
_MOST_LINES = 400
"""Lines of one diff: a page and a journal row stay readable. What was cut is said."""


def fields(before: Value, after: Value, path: str = "") -> Iterator[tuple[str, Value, Value]]:
    """Every leaf that differs, as (path, before, after); `...` stands for a missing one."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in [*before, *(name for name in after if name not in before)]:
            inner = f"{path}.{name}" if path else str(name)
            yield from fields(before.get(name, _ABSENT), after.get(name, _ABSENT), inner)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from fields(old, new, f"{path}[{index}]")
    elif (before is _ABSENT or after is _ABSENT or before != after or type(before) is not type(after)) and before != after:
        yield path, ... if before is _ABSENT else before, ... if after is _ABSENT else after


def diff(before: Mapping[str, Value] | None, after: Mapping[str, Value] | None) -> str:
    """What changes between two specs, None for one that does not exist. Texts of several lines are compared by line."""
    lines: list[str] = []
    for path, old, new in fields(before or {}, after or {}):
        old_text, new_text = _text(old), _text(new)
        if _is_block(old_text) or _is_block(new_text):
            lines += [f"{path}:", *_unified(old_text or "", new_text or "")]
        elif old is ...:
            lines.append(f"{path}: {_short(new)}")
        elif new is ...:
            lines.append(f"{path}: {_short(old)} → (absent)")
        else:
            lines.append(f"{path}: {_short(old)} → {_short(new)}")
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"… {len(lines) - _MOST_LINES} more lines"]
    return "\n".join(lines)


def _unified(before: str, after: str) -> Iterator[str]:
    # The two header lines name files; the change above the diff has done so.
    compared = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    for index, line in enumerate(compared):
        if index > 1:
            yield line


def _text(value: Value) -> str | None:
    """The value as a text of lines, or None where it is not one."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return value if isinstance(value, str) else None


def _is_block(text: str | None) -> bool:
    return text is not None and "\n" in text


def _short(value: Value) -> str:
    text = _text(value)
    if text is None:
        text = f"({len(value)} bytes)" if isinstance(value, bytes) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
