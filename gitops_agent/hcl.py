"""Reads HCL as far as one can without the program that will: what is opened is closed, and which blocks stand at the top of a file.

Comments, heredocs and texts are stepped over, with the expressions inside texts. What it cannot see: a misspelt argument, a value
of the wrong type, a job whose `id` attribute differs from its label. All that is found by the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gitops_agent.errors import InvalidRevision

_CODE = re.compile(
    r"""(?P<comment>\#[^\n]*|//[^\n]*|/\*.*?\*/)
      |<<-?(?P<mark>[\w-]+)[ \t]*\r?\n(?:.*?\n)??[ \t]*(?P=mark)[ \t]*\r?$
      |(?<![\w.-])(?P<kind>[A-Za-z_][\w-]*)(?P<labels>(?:[ \t]+(?:"[^"\n]*"|[\w-]+))*)[ \t]*\{
      |(?P<open>[{(\["])
      |(?P<close>[})\]])
      |(?P<endless>/\*|<<-?[\w-]+[ \t]*\r?$)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_TEXT = re.compile(r'\\.|\$\$\{|%%\{|(?P<open>[$%]\{)|(?P<close>")|(?P<endless>\n)|[^\\$%"\n]+|.')
_PAIRS = {"{": "}", "(": ")", "[": "]", "${": "}", "%{": "}", '"': '"'}


class Block(NamedTuple):
    """`job "web" {`: kind `job`, name `web`. `line` counts from 1."""

    kind: str
    name: str
    line: int


class _Opened(NamedTuple):
    sign: str
    at: int


def text(file: str, content: bytes) -> str:
    """Raises InvalidRevision for what is no text."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidRevision(f"is not UTF-8 at byte {error.start}", file=file) from None


def blocks(file: str, hcl: str) -> Iterator[Block]:
    """The blocks at the top of a file. Raises InvalidRevision where something does not end, or ends what was not begun."""
    stack: list[_Opened] = []
    at = 0
    while at < len(hcl):
        in_text = bool(stack) and stack[-1].sign == '"'
        token = _TEXT.match(hcl, at) if in_text else _CODE.search(hcl, at)
        if token is None:
            break
        at = token.end()
        found = token.groupdict()
        if found["endless"]:
            raise _error(file, hcl, stack[-1].at if in_text else token.start(), "begins what does not end")
        if found.get("kind"):
            if not stack:
                name = found["labels"].split('"')[1] if '"' in found["labels"] else found["labels"].strip()
                yield Block(found["kind"], name, _line(hcl, token.start()))
            stack.append(_Opened("{", at - 1))
        elif found["open"]:
            stack.append(_Opened(found["open"], token.start()))
        elif found["close"]:
            _close(file, hcl, stack, token)
    if stack:
        raise _error(file, hcl, stack[-1].at, f"{stack[-1].sign} is never closed")


def _close(file: str, hcl: str, stack: list[_Opened], token: re.Match[str]) -> None:
    if not stack:
        raise _error(file, hcl, token.start(), f"{token[0]} closes nothing")
    opened = stack.pop()
    if _PAIRS[opened.sign] != token[0]:
        where = _line(hcl, opened.at)
        raise _error(file, hcl, token.start(), f"{token[0]} where the {opened.sign} of line {where} should be closed")


def _line(hcl: str, at: int) -> int:
    return hcl.count("\n", 0, at) + 1


def _error(file: str, hcl: str, at: int, message: str) -> InvalidRevision:
    return InvalidRevision(message, file=file, line=_line(hcl, at))
