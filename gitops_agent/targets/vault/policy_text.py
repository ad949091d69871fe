"""Looks through a policy before Vault does: it has no dry run, and a policy that it refuses would stop a run halfway."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from gitops_agent.errors import InvalidRevision

_CAPABILITIES = frozenset({"create", "read", "update", "patch", "delete", "list", "scan", "sudo", "deny", "subscribe", "root"})
_FIELDS = frozenset(
    {"capabilities", "policy", "allowed_parameters", "denied_parameters", "required_parameters", "min_wrapping_ttl"}
    | {"max_wrapping_ttl", "mfa_methods", "control_group", "subscribe_event_types", "expiration", "comment", "name"}
    | {"pagination_limit", "response_keys_filter_path", "list_scan_response_keys_filter_path"}
)
_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<text><<-?(?P<end>\w+)\n.*?\n\s*(?P=end)|\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<word>[\w.+-]+)|(?P<sign>[={},\[\]])",
    re.DOTALL,
)
_PAIRS = {"}": "{", "]": "["}


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def normal(policy: str) -> str:
    """The text without what carries no meaning at the ends of lines and of the text."""
    return "\n".join(line.rstrip() for line in policy.replace("\r\n", "\n").split("\n")).strip()


def check(file: str, policy: str) -> None:
    """Raises InvalidRevision for what cannot be read, and for names that Vault does not know."""
    open_: list[_Token] = []
    tokens = [*_scan(file, policy)]
    for index, token in enumerate(tokens):
        if token.text in ("{", "["):
            open_.append(token)
        elif token.text in _PAIRS and (not open_ or open_.pop().text != _PAIRS[token.text]):
            raise _error(file, f"{token.text} closes nothing", token)
        elif token.kind in ("word", "text") and [one.text for one in open_] == ["{"]:
            _field(file, tokens, index)
        elif not open_ and token.kind == "word" and token.text not in ("path", "name"):
            raise _error(file, f'{token.text} where path "…" should be', token)
    if open_:
        raise _error(file, f"{open_[-1].text} is never closed", open_[-1])


def _field(file: str, tokens: list[_Token], index: int) -> None:
    """One token directly inside of `path "…" { }`: a field's name, or its value."""
    token, after = tokens[index], tokens[index + 1 : index + 3]
    if not after or after[0].text not in ("=", "{"):
        return
    name = token.text.strip('"')
    if name not in _FIELDS:
        raise _error(file, f"{name} is not known here{_near(name, _FIELDS)}", token)
    if name == "capabilities":
        for value in itertools.takewhile(lambda one: one.text != "]", tokens[index + 2 :]):
            word = value.text.strip('"')
            if value.kind in ("word", "text") and word not in _CAPABILITIES:
                raise _error(file, f"{word!r} is no capability{_near(word, _CAPABILITIES)}", value)


def _scan(file: str, policy: str) -> Iterator[_Token]:
    position, line = 0, 1
    while position < len(policy):
        match = _TOKEN.match(policy, position)
        if match is None:
            raise InvalidRevision(f"cannot be read from {policy[position : position + 10]!r} on", file=file, line=line)
        kind = "text" if match["text"] else str(match.lastgroup)
        if kind != "space":
            yield _Token(kind, match[0], line)
        line += match[0].count("\n")
        position = match.end()


def _near(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _error(file: str, message: str, token: _Token) -> InvalidRevision:
    return InvalidRevision(message, file=file, line=token.line)
