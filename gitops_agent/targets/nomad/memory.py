"""What is worth remembering between runs, in the agent's own directory: which job, rendered like this, was found unchanged at which
index, so that a list call is all that a thousand unchanged jobs cost.

Thrown away it costs one plan a job. Only the names of what was adopted go with it: these jobs are somebody else's again, adopted
once more while they are as declared, and left alone when they are declared no more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_SHAPE = 1
"""Another number forgets what an older agent wrote."""


@dataclass(frozen=True)
class Known:
    """Of one job: the keyed digest of what was declared when Nomad saw no difference, and the version it saw it in."""

    digest: str
    index: int
    """JobModifyIndex."""
    submitted: int
    """SubmitTime: a Nomad that was set up anew counts indexes from 1 again."""
    finished: bool = False
    """A batch job that has run. Nomad forgets it after some hours, which is no reason to run it again."""
    reverted: str = ""
    """Why Nomad took what was declared back (`auto_revert`), in words: it is not registered again until it is another."""

    def is_at(self, row: Mapping[str, Any]) -> bool:
        return (self.index, self.submitted) == (row["JobModifyIndex"], row["SubmitTime"])


class Memory:
    def __init__(self, directory: Path) -> None:
        self._file = directory / "jobs.json"
        self._saved = self._read()
        self.known: dict[str, Known] = {name: Known(**known) for name, known in self._saved["jobs"].items()}
        self.registered: dict[str, int] = dict(self._saved["registered"])
        """JobModifyIndex by name, of what this agent registered last: its deployment is looked for under it."""
        self.adopted: set[str] = set(self._saved["adopted"])

    def save(self, names: Collection[str]) -> None:
        """Of these names; the others are forgotten."""
        now = {
            "shape": _SHAPE,
            "jobs": {name: asdict(known) for name, known in sorted(self.known.items()) if name in names},
            "registered": {name: index for name, index in sorted(self.registered.items()) if name in names},
            "adopted": sorted(self.adopted),
        }
        if now != self._saved:
            staged = self._file.with_suffix(".new")
            staged.write_text(json.dumps(now))
            staged.replace(self._file)
            self._saved = now

    def _read(self) -> dict[str, Any]:
        empty = {"shape": _SHAPE, "jobs": {}, "registered": {}, "adopted": []}
        try:
            read = json.loads(self._file.read_text())
            return dict(read) if read["shape"] == _SHAPE and read.keys() == empty.keys() else empty
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return empty
