"""What was adopted: adopting writes nothing to a system, so the names, and what there is to remember of each, lie in the
agent's own directory until the object is written for the first time. Lost with it, an object is somebody else's again: adopted once
more while it is as declared, and left alone when it is declared no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

Notes: TypeAlias = Mapping[str, Mapping[str, Any]]
"""By name, plain JSON without secrets: keyed digests of what cannot be read, ids."""


class Adopted:
    def __init__(self, directory: Path) -> None:
        self._file = directory / "adopted.json"

    def notes(self) -> Notes:
        try:
            known = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) and all(isinstance(note, dict) for note in known.values()) else {}

    def add(self, notes: Notes) -> None:
        self._write({**self.notes(), **notes})

    def remove(self, name: str) -> None:
        if name in (known := self.notes()):
            self._write({other: note for other, note in known.items() if other != name})

    def _write(self, known: Notes) -> None:
        staged = self._file.with_suffix(".new")
        staged.write_text(json.dumps({name: dict(note) for name, note in known.items()}))
        staged.replace(self._file)
