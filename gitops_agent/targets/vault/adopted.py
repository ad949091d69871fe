"""What was adopted: adopting writes nothing to Vault, so the names, and keyed digests of what cannot be read, lie in the agent's
own directory until the object is written for the first time. Lost with it, an object is somebody else's again: adopted once more
while it is as declared, and left alone when it is declared no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gitops_agent.targets.vault.record import Note


class Adopted:
    def __init__(self, directory: Path) -> None:
        self._file = directory / "adopted.json"

    def notes(self) -> Mapping[str, Note]:
        """By name."""
        try:
            known = json.loads(self._file.read_text())
            return {name: Note(written) for name, written in known.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def add(self, notes: Mapping[str, Note]) -> None:
        self._write({**self.notes(), **notes})

    def remove(self, name: str) -> None:
        if name in (known := self.notes()):
            self._write({other: note for other, note in known.items() if other != name})

    def _write(self, known: Mapping[str, Note]) -> None:
        staged = self._file.with_suffix(".new")
        staged.write_text(json.dumps({name: dict(note.written) for name, note in known.items()}))
        staged.replace(self._file)
