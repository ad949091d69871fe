"""What a file target hears of its directories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, Queue

from gitops_agent import watch
from gitops_agent.file_target import tree

_STILL_HERE = 2.0
"""Seconds until a watch without news says so, and may be ended."""


def changes(directories: Sequence[Path], ignore: Sequence[str], concerns: Callable[[Path], bool]) -> Iterator[str]:
    """A reason for each path that changed and concerns; an empty text now and then. Rings for our own publishing too: the look
    that follows finds nothing to do."""
    rung: Queue[str] = Queue()
    private = (tree.PRIVATE, f"*{tree.PRIVATE}/*")
    watching = watch.directories(directories, rung.put, ignore=(*ignore, *private))
    try:
        yield ""
        while True:
            try:
                path = Path(rung.get(timeout=_STILL_HERE))
            except Empty:
                yield ""
                continue
            if concerns(path):
                yield f"{path.name} changed"
    finally:
        watching.close()
