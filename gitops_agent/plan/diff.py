"""Differences for people: unified for texts, a line a field for structures."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from types import EllipsisType

from gitops_agent.model import Value
from gitops_agent.secret import mask

_INLINE = 100
"""Characters of a list or mapping that still stands on the line of its field."""
_LONGEST = 400
"""Characters of one line; a minified file would hide everything else."""
_MOST_LINES = 400
"""Lines of one diff: a page and a journal row stay readable. What was cut is said."""
_MOST_COMPARED = 20_000
"""Lines of both sides together; difflib takes time by the square."""

# What a terminal would obey, or a reader would not see: a diff shows content that others wrote.
_INVISIBLE = [*range(32), *range(127, 160), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_VISIBLE = {code: ascii(chr(code))[1:-1] for code in _INVISIBLE if chr(code) != "\t"}


def visible(text: str) -> str:
    """`text` on one line, without anything that acts on a terminal or turns the reading direction."""
    return text.translate(_VISIBLE)


def fields(before: Value, after: Value, path: str = "", *, disclose: bool = True) -> Iterator[tuple[str, Value, Value]]:
    """Every leaf that differs, as (path, before, after); `...` stands for a missing one. None where the two are equal.

    Without `disclose` names that only `before` has are not told: the mapping they are in stands for them.
    """
    if before == after:
        return
    if _is_mapping(before) and _is_mapping(after) and (_names(before) or _names(after)):
        old, new = _names(before), _names(after)
        for name in [*old, *(name for name in new if name not in old)]:
            if name not in new and not disclose:
                yield path, ..., ...
            else:
                inner = f"{path}.{name}" if path else str(name)
                yield from fields(old.get(name, ...), new.get(name, ...), inner, disclose=disclose)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from fields(old, new, f"{path}[{index}]", disclose=disclose)
    else:
        yield path, before, after


def _is_mapping(value: Value) -> bool:
    return isinstance(value, Mapping | EllipsisType)


def _names(value: Value) -> Mapping[str, Value]:
    return {} if value is ... else value


def diff(before: Mapping[str, Value] | None, after: Mapping[str, Value] | None) -> str:
    """What changes between two specs, None for one that does not exist. Texts of several lines are compared by line. Secrets that
    were ever resolved are masked before anything is compared or cut: half of one is not recognised any more."""
    lines: list[str] = []
    for path, old, new in fields(before or {}, after or {}):
        if _is_block(old) or _is_block(new):
            lines += [f"{path}:", *_unified(_lines(old), _lines(new))]
        elif old is ...:
            lines.append(f"{path}: {_inline(new)}")
        else:
            lines.append(f"{path}: {_inline(old)} → {_inline(new)}")
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [f"… {len(lines) - _MOST_LINES} more lines"]
    return "\n".join(map(_cut, lines))


def _unified(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    if len(before) + len(after) > _MOST_COMPARED:
        yield f"@@ {len(before)} lines become {len(after)}: too many to compare @@"
        return
    # The two header lines name files; the change above the diff has done so.
    compared = difflib.unified_diff(before, after, lineterm="", n=3)
    yield from (line for index, line in enumerate(compared) if index > 1)


def _text(value: Value) -> str | None:
    """The value as a masked text, or None where it is not one."""
    if isinstance(value, bytes):
        try:
            return mask(value.decode())
        except UnicodeDecodeError:
            return None
    return mask(value) if isinstance(value, str) else None


def _is_block(value: Value) -> bool:
    text = _text(value)
    return "\n" in text if text is not None else isinstance(value, Mapping | list) and len(_inline(value)) > _INLINE


def _lines(value: Value) -> list[str]:
    if value is ...:
        return []
    text = _text(value)
    if text is None:
        return mask(json.dumps(value, ensure_ascii=False, indent=2, default=_plain)).split("\n")
    lines = text.split("\n")
    if lines[-1]:
        return [*lines, "\\ no line end"]
    return lines[:-1]


def _inline(value: Value) -> str:
    """In JSON: 80 and "80" are not the same."""
    if value is ...:
        return "(absent)"
    text = _text(value)
    if text is not None:
        return json.dumps(text, ensure_ascii=False)
    return mask(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    text = _text(value)
    if text is not None:
        return text
    return f"({len(value)} bytes)" if isinstance(value, bytes) else str(value)


def _cut(line: str) -> str:
    line = visible(line)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}… ({len(line)} characters)"
