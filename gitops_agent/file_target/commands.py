"""Commands of agent.toml that look at staged files, and that make a program load published ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gitops_agent import process, secret
from gitops_agent.errors import ApplyFailed, CommandFailed, Unavailable


class Looked(NamedTuple):
    """What a check said; masked, errors first."""

    status: int
    output: str


def fill(command: Sequence[str], **places: str | Path) -> list[str]:
    """`{staged}` becomes what `staged` is, and so on; other braces stay."""
    filled = list(command)
    for name, value in places.items():
        filled = [part.replace(f"{{{name}}}", str(value)) for part in filled]
    return filled


def look(command: Sequence[str], *, timeout: float) -> Looked:
    """Runs a check, whatever its exit status. Raises Unavailable when it ran out of time or was killed: that says nothing about
    the files."""
    try:
        done = process.run(command, timeout=timeout, accept=range(256))
    except CommandFailed as error:
        raise Unavailable(f"check: {error}") from None
    return Looked(done.status, f"{done.stderr}\n{secret.mask(done.text)}")


def run(command: Sequence[str], *, timeout: float) -> None:
    """Raises CommandFailed, and ApplyFailed for a program that does not exist: by now files are published."""
    try:
        process.run(command, timeout=timeout)
    except Unavailable as error:
        raise ApplyFailed(str(error)) from None
