"""The one place that masks: whatever leaves the process passes `mask`."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from gitops_agent.errors import Unavailable

SHOWN = "(sensitive)"
PREFIX = "gitops_secret_"

_PLACEHOLDER = re.compile(PREFIX + r"(?:[0-9a-z]+_[0-9a-f]{32}_)?", re.IGNORECASE)
_SHORTEST = 4
"""A shorter value could not be masked without masking half of every log; it is refused."""
_SHORTEST_LINE = 8
"""Shorter lines of a longer value (a brace, `-----`) say nothing."""
_SHORTEST_FRAGMENT = 6
"""The same for what is left of a short value in the middle of somebody's base64."""

# Forms by their first four characters, longest first. A regular expression of 1,000 secrets takes seconds for a megabyte and has to
# be compiled again for each new one; a look at every four characters costs the same however many secrets there are.
_Start = tuple[str, str, str, str]
_forms: dict[_Start, tuple[str, ...]] = {}
_values: set[str] = set()
_lock = threading.Lock()


def remember(value: str, name: str = "a secret") -> None:
    """From now on `mask` hides this value, however it is encoded, and every longer line of it. It is never forgotten: an old
    value of a rotated secret is a secret still. Raises Unavailable, with `name`, for one too short to be masked."""
    if len(value.strip()) < _SHORTEST:
        raise Unavailable(f"{name} is shorter than {_SHORTEST} characters: it could not be masked")
    if value in _values:
        return
    parts = {value, " ".join(value.split()), *_telling_lines(value)}
    with _lock:
        for form in {form for part in parts if len(part) >= _SHORTEST for form in _encoded(part)}:
            start: _Start = (form[0], form[1], form[2], form[3])
            _forms[start] = tuple(sorted({*_forms.get(start, ()), form}, key=len, reverse=True))
        _values.add(value)


def _telling_lines(value: str) -> Iterator[str]:
    for line in map(str.strip, value.splitlines()):
        if len(line) >= _SHORTEST_LINE and not line.startswith("-----"):
            yield line


def _encoded(value: str) -> Iterator[str]:
    """Every way a value is written by what the agent talks to: also inside a JSON text in JSON, and in the middle of base64."""
    data = value.encode()
    yield value
    for escaped in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        yield escaped[1:-1]
        yield json.dumps(escaped)[3:-3]
    yield repr(value)[1:-1]
    yield repr(data)[2:-1]
    yield from (quote(value, safe=""), quote(value), quote_plus(value))
    yield html.escape(value)
    yield data.hex()
    for before in range(3):
        padded = base64.b64encode(bytes(before) + data).decode()
        cut = -1 if (before + len(data)) % 3 else None  # the last character depends on what follows
        fragment = padded.rstrip("=")[(0, 2, 3)[before] : cut]
        for text in (padded, fragment) if before == 0 else (fragment,):
            if len(text) >= _SHORTEST_FRAGMENT:
                yield text
                yield text.translate({ord("+"): "-", ord("/"): "_"})


def mask(text: str) -> str:
    """`text` without any secret value resolved so far, and without placeholders."""
    if not _forms.keys().isdisjoint(_starts(text)):
        text = _hide(text)
    return _PLACEHOLDER.sub(SHOWN, text) if PREFIX in text.lower() else text


def _starts(text: str) -> Iterable[_Start]:
    return zip(text, text[1:], text[2:], text[3:], strict=False)


def _hide(text: str) -> str:
    """Values that overlap are hidden together: neither leaves its end behind."""
    pieces: list[str] = []
    hidden = 0  # everything before is in pieces, or hidden
    for at, start in [(at, start) for at, start in enumerate(_starts(text)) if start in _forms]:
        form = next((form for form in _forms[start] if text.startswith(form, at)), None)
        if form is None:
            continue
        if at >= hidden:
            pieces += (text[hidden:at], SHOWN)
        hidden = max(hidden, at + len(form))
    return "".join((*pieces, text[hidden:]))
