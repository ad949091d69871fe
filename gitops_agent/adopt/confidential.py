"""Which values in files written by hand are secrets, and where exactly they stand.

A value is taken for one by the name it is given, by its shape, or because it is known as one from elsewhere. In doubt it is one: a
harmless value that lies in the agent's store costs nothing, a password in git cannot be taken back.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from gitops_agent.secret.shapes import PRIVATE_KEY, SHAPES

_NAME = re.compile(
    r"""(?ix) (?: password | passwd | passphrase | passwort | pwd | secret | token | credentials? | api_?key | dsn | encrypt
        | secret_?id | token_?id | add_local_user | authorization_header
        | (?: api | access | secret | private | encryption | signing | session | master | auth | account | license | jwt | hmac )
          [_.-]? key ) s? $ | [A-Z0-9]_(?: KEY | PASS | PW ) $"""
)
_NO_VALUE = re.compile(
    r"""(?ix) ^ (?: [{$%<*!&~|>@(\[/] .* | \.{1,2}/ .* | .* \$\{ .* | .* \{\{ .* | file: .* | vault: .* | env\b .* | [\w.-]+ \( .*
        | true | false | null | none | nil | yes | no | on | off | default | \d{1,3} [smhd]?
        | deny | allow | read | write | list | sudo
        | (?: var | local | each ) \. .* | .* \. (?: pem | crt | key | json | ya?ml | conf | txt ) ) $"""
)
_ASSIGNED = re.compile(
    r"""(?x) (?P<name> [A-Za-z_][\w.-]* ) ["']? [ \t]* (?: => | : (?=[ \t]) | (?<!:) = (?!=) | (?<=") : ) [ \t]*
        (?: "(?P<double> (?: [^"\\\n] | \\. )+ )" | '(?P<single> [^'\n]+ )' | (?P<plain> [^\s"',;{}\[\]]+ ) )"""
)
_LINE = re.compile(
    r"""(?mx) ^ [ \t]* (?: export [ \t]+ | - [ \t]+ ["']? )? (?P<name> [A-Za-z_]\w* ) = (?P<plain> [^"'\s] [^\n]*? )
        ["']? (?: [ \t]+ \# [^\n]* )? [ \t\r]* $"""
)
"""As in `.env` and in lists of variables: to the end of the line."""
_HEADER = re.compile(
    r"(?i)\b(?:bearer|x-[\w-]*token|private-token|authorization)[ \t:=\"']+(?:bearer[ \t]+)?(?P<value>[\w.~+/=-]{8,})"
)
_HASHED = re.compile(r"^[^\s:#]+:(?P<value>\$(?:apr1|2[aby]|5|6)\$\S+|\{SHA\}\S+)", re.MULTILINE)
_RANDOM = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_SECRET_NAME = re.compile(
    r"(?i)(?:image|digest|sha\d*|checksum|hash|id|fingerprint|thumbprint|serial|etag|version|revision|accessor|public_?key)$"
)
_BITS = 4.2
"""Of entropy a character: words and paths have less."""
_TOO_SHORT = 4
"""A shorter value cannot be masked."""


class Found(NamedTuple):
    """One value in a text, as it is written there: between the quotes, if it stands between some."""

    name: str
    value: str
    start: int
    end: int


def find(text: str) -> list[Found]:
    """In the order of the text; none lies within another."""
    found = sorted(_find(text), key=lambda one: (one.start, -one.end))
    ends = 0
    kept = []
    for one in found:
        if one.end > ends:
            kept.append(one)
            ends = one.end
    return kept


def _find(text: str) -> Iterator[Found]:
    for match in (*_ASSIGNED.finditer(text), *_LINE.finditer(text)):
        group = next(name for name, value in match.groupdict().items() if name != "name" and value is not None)
        name, value = match["name"], match[group]
        random = looks_random(value) and not _NO_SECRET_NAME.search(name)
        if is_value(value) and (is_secret_name(name) or random):
            yield Found(name, value, *match.span(group))
    for what, shape in SHAPES.items():
        if what != PRIVATE_KEY:
            yield from (_found(what.rpartition(" ")[2], match) for match in shape.finditer(text))
    yield from (_found("token", match) for match in _HEADER.finditer(text) if is_value(match["value"]))
    yield from (_found("password-hash", match) for match in _HASHED.finditer(text))


def _found(name: str, match: re.Match[str]) -> Found:
    return Found(name, match["value"], *match.span("value"))


def is_secret_name(name: str) -> bool:
    return _NAME.search(name) is not None


def is_value(value: str) -> bool:
    """Whether it can be a secret at all: it is no path, no reference, and long enough to be masked."""
    return len(value.strip()) >= _TOO_SHORT and not _NO_VALUE.match(value)


def looks_random(value: str) -> bool:
    if _UUID.fullmatch(value):
        return True
    if not _RANDOM.fullmatch(value) or not all(re.search(kind, value) for kind in ("[a-z]", "[A-Z0-9]", "[0-9]")):
        return False
    return _entropy(value) >= _BITS


def _entropy(value: str) -> float:
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)


def is_whole(path: str, text: str) -> bool:
    """Whether a file is one secret: a private key, or a name that says so over a single line."""
    if SHAPES[PRIVATE_KEY].search(text):
        return True
    stem = re.sub(r"\.(?:txt|key|env|conf)$", "", path.rpartition("/")[2])
    one_line = len(text.split()) == 1
    return one_line and (is_secret_name(stem.replace("-", "_")) or path.endswith(".key") or looks_random(text.strip()))


def is_strong(value: str) -> bool:
    """Whether it can only be that secret wherever it occurs. A password that is a word is a word elsewhere."""
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[0-9]", r"[^a-zA-Z0-9]"))
    return len(value) >= 8 and kinds >= 2 and re.fullmatch(r"[a-z]+(?:[-_.][a-z]+)*", value) is None
