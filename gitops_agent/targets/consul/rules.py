"""Looks through the rules of an ACL policy before Consul does: it has no dry run, and it takes a misspelt rule without a word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import NamedTuple

from gitops_agent.errors import InvalidRevision

_LABELLED = frozenset(
    f"{name}{suffix}"
    for name in ("agent", "event", "identity", "key", "node", "query", "service", "session")
    for suffix in ("", "_prefix")
)
_PLAIN = frozenset({"acl", "keyring", "mesh", "operator", "peering"})
_AROUND = frozenset({"namespace", "namespace_prefix", "partition", "partition_prefix"})
_ACCESS = frozenset({"read", "write", "deny"})
_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<text><<-?(?P<end>\w+)\n.*?\n\s*(?P=end)|\"(?:[^\"\\\n]|\\.)*\")|(?P<word>[\w.-]+)|(?P<sign>[={},])",
    re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def normal(rules: str) -> str:
    """Rules without what carries no meaning at the ends of lines and of the text."""
    return "\n".join(line.rstrip() for line in rules.replace("\r\n", "\n").split("\n")).strip()


def check(file: str, rules: str) -> None:
    """Raises InvalidRevision for what Consul would refuse, and for names that it would ignore because of a slip of the pen."""
    _Reader(file, rules).body(_LABELLED | _PLAIN | _AROUND, "")


class _Reader:
    def __init__(self, file: str, rules: str) -> None:
        self._file = file
        self._tokens = [*self._scan(rules)]
        self._at = 0

    def _scan(self, rules: str) -> Iterator[_Token]:
        position, line = 0, 1
        while position < len(rules):
            match = _TOKEN.match(rules, position)
            if match is None:
                raise self._error(f"cannot be read from {rules[position : position + 10]!r} on", line)
            kind = match.lastgroup if match.lastgroup != "end" else "text"
            if kind != "space":
                yield _Token(str(kind), match[0], line)
            line += match[0].count("\n")
            position = match.end()
        yield _Token("end", "the end", line)

    def body(self, known: frozenset[str], around: str) -> None:
        """`name "label" { … }` and `name = "value"`, up to the closing brace of `around`, or to the end of the text."""
        while (token := self._next()).text != ("}" if around else "the end"):
            if token.text == ",":
                continue
            if token.kind not in ("word", "text"):
                raise self._error(f"{token.text} where a rule should be", token.line)
            name = token.text.strip('"')
            if name not in known and (near := difflib.get_close_matches(name, known, n=1, cutoff=0.75)):
                raise self._error(f"{name!r} is no rule, Consul would ignore it; did you mean {near[0]!r}?", token.line)
            self._rule(name, token.line)

    def _rule(self, name: str, line: int) -> None:
        token = self._next()
        if token.text == "=":
            self._value(name)
            return
        labels = 0
        while token.kind == "text":
            labels += 1
            token = self._next()
        if token.text != "{":
            raise self._error(f"{token.text} where {{ should be", token.line)
        if name in _LABELLED | _AROUND and labels != 1:
            raise self._error(f'{name} needs one name: {name} "…" {{ policy = "read" }}', line)
        if name in _PLAIN:
            raise self._error(f'{name} has no braces: {name} = "read"', line)
        inner = _LABELLED | _PLAIN if name in _AROUND else frozenset({"policy", "intentions", "sentinel"})
        self.body(inner, name)

    def _value(self, name: str) -> None:
        token = self._next()
        if token.text == "{":  # an object, as in JSON: its shape is Consul's to judge
            self.body(frozenset(), name)
            return
        if token.kind != "text" and not token.text.isdigit():
            raise self._error(f'{token.text} where a value should be: {name} = "read"', token.line)
        value = token.text.strip('"')
        if name in {"policy", "intentions"} | _PLAIN and value not in _ACCESS | {"list"}:
            raise self._error(f"{name} = {token.text} is none of read, write, deny", token.line)

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        if token.kind == "end" and self._at and self._open():
            raise self._error("ends before its last brace is closed", token.line)
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _open(self) -> bool:
        before = [token.text for token in self._tokens[: self._at] if token.kind == "sign"]
        return before.count("{") > before.count("}")

    def _error(self, message: str, line: int) -> InvalidRevision:
        return InvalidRevision(message, file=self._file, line=line)
