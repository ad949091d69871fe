"""What Concourse made of a pipeline where that is not what `written` says: a keyed digest of the declared one, and the version in
which Concourse holds it. Without it such a pipeline would be written anew by every run; lost, it is written once more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitops_agent.secret import fingerprint


class Memory:
    def __init__(self, directory: Path, key: bytes) -> None:
        self._file = directory / "known.json"
        self._key = key

    def knows(self, name: str, config: Mapping[str, Any], version: str) -> bool:
        return self._known().get(name) == [self._digest(config), version]

    def note(self, name: str, config: Mapping[str, Any], version: str) -> None:
        self._write({**self._known(), name: [self._digest(config), version]})

    def forget(self, name: str) -> None:
        if name in (known := self._known()):
            self._write({other: note for other, note in known.items() if other != name})

    def _digest(self, config: Mapping[str, Any]) -> str:
        return fingerprint(json.dumps(config, sort_keys=True, default=str), self._key)

    def _known(self) -> dict[str, list[str]]:
        try:
            known = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, known: Mapping[str, list[str]]) -> None:
        staged = self._file.with_suffix(".new")
        staged.write_text(json.dumps(known))
        staged.replace(self._file)
