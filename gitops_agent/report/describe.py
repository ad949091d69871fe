"""The one line of a commit status."""

from __future__ import annotations

from gitops_agent.secret import SHOWN, mask

_LONGEST = 140
"""Characters; Gitea stores more, but shows no more."""


def describe(text: str) -> str:
    """`text` as one line of at most 140 characters. Masked before it is cut, or half a secret would pass; and no mask is cut in
    half, or what is left would look like text (failure mode 56). Unprintable characters go: some databases refuse them."""
    return shorten(mask(_line(mask(text))))


def shorten(text: str) -> str:
    """The same of a text that is not masked, as strangers wrote it: a mask would tell them which of their guesses is a secret."""
    line = _line(text)
    if len(line) <= _LONGEST:
        return line
    end = _LONGEST - 1
    last = line.rfind(SHOWN, 0, end + len(SHOWN) - 1)
    if last != -1 and last + len(SHOWN) > end:
        end = last
    return f"{line[:end].rstrip()}…"


def _line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
