"""A file with secrets in it as a template that renders to exactly that file."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

_DELIMITER = re.compile(r"\{(?=[{%#])")
_SUFFIX = ".j2"


class Place(NamedTuple):
    """Where a secret stands in a text, and how it is written there."""

    start: int
    end: int
    name: str
    encode: str = ""

    def unescaped(self) -> Place:
        """Where a reference is replaced in what was read from the text, and no longer stands between quotes."""
        return self._replace(encode="") if self.encode == "json" else self


def occurrences(text: str, value: str) -> Iterator[tuple[int, int, str]]:
    """Every place where the value is written, in any of the ways that `secret()` can write it: start, end and `encode`."""
    for encode, form in _forms(value):
        start = text.find(form)
        while start >= 0:
            yield start, start + len(form), encode
            start = text.find(form, start + len(form))


def without(text: str, value: str) -> str:
    """The text as it is around a value, however that is written."""
    for _, form in _forms(value):
        text = text.replace(form, "")
    return text


def _forms(value: str) -> Iterator[tuple[str, str]]:
    known: set[str] = set()
    for encode, form in (
        ("", value),
        ("json", json.dumps(value, ensure_ascii=False)[1:-1]),
        ("url", quote(value, safe="")),
        ("base64", base64.b64encode(value.encode()).decode()),
    ):
        if form not in known:
            known.add(form)
            yield encode, form


def written(text: str, places: list[Place]) -> str | None:
    """The template; of places that begin together the longest counts. None where two overlap: one would leave its end behind."""
    pieces: list[str] = []
    at = 0
    for place in sorted(places, key=lambda place: (place.start, -place.end)):
        if place.start < at:
            if place.end > at:
                return None
            continue
        pieces += [escaped(text[at : place.start]), reference(place.name, place.encode)]
        at = place.end
    return "".join((*pieces, escaped(text[at:])))


def reference(name: str, encode: str = "") -> str:
    more = f', encode="{encode}"' if encode else ""
    return f'{{{{ secret("file:{name}"{more}) }}}}'


def escaped(text: str) -> str:
    """What Jinja would take for its own is printed by it."""
    shown = _DELIMITER.sub('{{ "{" }}', text)
    return f'{shown[:-1]}{{{{ "{{" }}}}' if shown.endswith("{") else shown


def can_be_one(path: str, text: str) -> bool:
    """Jinja ends every line with a line feed, and takes what begins with `_` for a part of other templates."""
    return "\r" not in text and not any(part.startswith("_") for part in path.split("/"))


def named(path: str) -> str:
    return f"{path}{_SUFFIX}"


def is_named_so(path: str) -> bool:
    """Whether a file that lies so in a config repo would be rendered."""
    return path.endswith(_SUFFIX)
