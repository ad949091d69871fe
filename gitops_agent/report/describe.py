"""The one line of a commit status."""

from __future__ import annotations

from gitops_agent.secret import SHOWN, mask

_LONGEST = 140
"""Characters; Gitea stores more, but shows no more."""


def describe(text: str) -> str:
    """`text` as one line of at most 140 characters. Masked before it is cut, or half a secret would pass; and no mask is cut in
    half, or what is left would look like text (failure mode 56). Unprintable characters go: some databases refuse them."""
    printable = "".join(character if character.isprintable() else " " for character in mask(text))
    line = mask(" ".join(printable.split()))
    if len(line) <= _LONGEST:
        return line
    end = _LONGEST - 1
    last = line.rfind(SHOWN, 0, end + len(SHOWN) - 1)
    if last != -1 and last + len(SHOWN) > end:
        end = last
    return f"{line[:end].rstrip()}…"
