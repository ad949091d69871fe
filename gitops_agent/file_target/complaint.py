"""What a checker said of the staged files, turned into what the author needs: the file of the repository, the line, the words."""

from __future__ import annotations

import re
from pathlib import Path

from gitops_agent.errors import InvalidRevision

_LINE = re.compile(r"[:, ]+(?:line )?(\d+)")
_NOISE = re.compile(r"^[\s:,]+|[\s:,]+$")


def complaint(output: str, staged: Path) -> InvalidRevision:
    """The first line of `output` that names a staged file, as an error with that file and line; else the last line, without."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    named = next((line for line in lines if f"{staged}/" in line), "")
    if not named:
        return InvalidRevision(lines[-1] if lines else "the check failed and said nothing")
    before, _, rest = named.partition(f"{staged}/")
    path = _longest_file(rest, staged)
    after = rest[len(path) :]
    number = _LINE.match(after)
    words = f"{before.rstrip(': ')} {after[number.end() :] if number else after}"
    said = _NOISE.sub("", words.replace(f"{staged}/", ""))
    return InvalidRevision(said or "the check failed", file=path, line=int(number[1]) if number else 0)


def _longest_file(text: str, staged: Path) -> str:
    """The path that `text` begins with; names may hold blanks and colons, so the disk decides."""
    for end in range(len(text), 0, -1):
        if text[end - 1 : end] not in " :,\"')" and (staged / text[:end]).is_file():
            return text[:end]
    return re.split(r"[:\s,\"']", text, maxsplit=1)[0]
