"""Files laid out for programs that look at them where they are not going to be read: on an author's machine, in a task of CI."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from gitops_agent.errors import Unavailable
from gitops_agent.model import Files

TIMEOUT = 60.0
"""Seconds for one program."""


def need(program: str) -> str:
    """Where it is. Raises Unavailable where it is not."""
    found = shutil.which(program)
    if found is None:
        raise Unavailable(f"{program} is not here")
    return found


def lay_out(files: Files, directory: Path, edit: Callable[[Path, bytes], bytes]) -> Path:
    """The files as `edit` leaves them, given where they lie."""
    staged = directory / "staged"
    for path, content in files.items():
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        (staged / path).write_bytes(edit(staged, content))
    return staged
