"""A published path, as it must read in a copy that is let at a checker: checkers follow absolute paths into the *live* files.

Lines keep their numbers.
"""

from __future__ import annotations

import re
from pathlib import Path


def moved(content: bytes, live: Path, staged: Path) -> bytes:
    """`content` with the path `staged` for `live`, also at the beginning of longer ones."""
    if str(live).encode() not in content:
        return content
    return _mention(live).sub(lambda _: str(staged).encode(), content)


def _mention(live: Path) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![\w.\-/])" + re.escape(str(live).encode()) + rb"(?![\w.\-])")
