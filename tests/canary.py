"""Canaries: secrets that are looked for in everything the agent emits, when the test is over.

`canary.secret()` makes a value that nobody else has; hand it to the agent like any other secret. `canary.watch(...)` takes whatever
left the agent: texts, bytes, files, directories (all files below), or functions that give one of these when the test is over.
The forms it looks for are its own, not those that `secret.mask` knows.
"""

from __future__ import annotations

import base64
import html
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, quote_plus

import pytest

Sink: TypeAlias = str | bytes | Path
_SHORTEST = 6
"""Pieces of a value shorter than this are found in anything."""


class Canary:
    def __init__(self) -> None:
        self._values: list[str] = []
        self._sinks: list[tuple[str, Sink | Callable[[], Sink]]] = []

    def secret(self, value: str = "") -> str:
        """Registers `value`, or a new one with everything in it that an encoding would change."""
        self._values.append(value or f'k"{secrets.token_hex(6)}\\ä&+/{secrets.token_hex(6)}')
        return self._values[-1]

    def watch(self, *sinks: Sink | Callable[[], Sink], name: str = "") -> None:
        for sink in sinks:
            self._sinks.append((name or (str(sink) if isinstance(sink, Path) else f"sink {len(self._sinks) + 1}"), sink))

    def leaks(self) -> list[str]:
        """Where a value was seen, and how it was written there; never the value itself."""
        found: list[str] = []
        for name, sink in self._sinks:
            for place, content in _contents(name, sink() if callable(sink) else sink):
                for number, value in enumerate(self._values):
                    found += [f"{place}: secret {number} as {form}" for form, text in _forms(value) if text in content]
        return found


@pytest.fixture
def canary() -> Iterator[Canary]:
    """See the module. Fails the test at its end when a secret was seen, or when nothing was watched."""
    canary = Canary()
    yield canary
    assert canary._values, "no secret was made"
    assert canary._sinks, "nothing was watched"
    leaks = canary.leaks()
    assert not leaks, "\n".join(leaks)


def _contents(name: str, sink: Sink) -> Iterator[tuple[str, bytes]]:
    if isinstance(sink, str):
        yield name, sink.encode(errors="surrogatepass")
    elif isinstance(sink, bytes):
        yield name, sink
    elif sink.is_dir():
        for path in sorted(path for path in sink.rglob("*") if path.is_file()):
            yield str(path), path.read_bytes()
    else:
        yield name, sink.read_bytes()


def _forms(value: str) -> Iterator[tuple[str, bytes]]:
    written = {
        "it is": value,
        "upper case": value.upper(),
        "lower case": value.lower(),
        "reversed": value[::-1],
        "JSON": json.dumps(value)[1:-1],
        "JSON in UTF-8": json.dumps(value, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(value))[3:-3],
        "repr": repr(value)[1:-1],
        "bytes": repr(value.encode())[2:-1],
        "URL": quote(value, safe=""),
        "URL path": quote(value),
        "form": quote_plus(value),
        "HTML": html.escape(value),
        "hex": value.encode().hex(),
    }
    yield from ((form, text.encode()) for form, text in written.items())
    for line in value.splitlines():
        if len(line.strip()) >= 12 and not line.startswith("-----"):
            yield "one of its lines", line.strip().encode()
    # A value that lost its end, or its beginning: cut before it was masked.
    if len(value) >= 4 * _SHORTEST:
        yield "its beginning", value[: len(value) // 2].encode()
        yield "its end", value[len(value) // 2 :].encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            inner = encode(b"\0" * before + value.encode())[4:-4]
            if len(inner) >= _SHORTEST:
                yield "base64", inner
