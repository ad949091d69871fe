"""What is worth remembering between runs, in the agent's own directory: which job, rendered like this, was found unchanged at which
index, so that a list call is all that a thousand unchanged jobs cost. The same for policies and variables.

Thrown away it costs one plan a job, one read each of the others. Only the names of what was adopted go with it: these things are
somebody else's again, adopted once more while they are as declared, and left alone when they are declared no more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gitops_agent import secret
from gitops_agent.model import Resource

_SHAPE = 2
"""Another number forgets what an older agent wrote."""


@dataclass(frozen=True)
class Known:
    """The keyed digest of what was declared when there was no difference, and the version that had none."""

    digest: str
    index: int
    """JobModifyIndex, ModifyIndex."""
    stamp: int | str
    """SubmitTime, ModifyTime or Hash: a Nomad that was set up anew counts indexes from 1 again."""
    finished: bool = False
    """A batch job that has run. Nomad forgets it after some hours, which is no reason to run it again."""
    reverted: str = ""
    """Why Nomad took what was declared back (`auto_revert`), in words: it is not registered again until it is another."""

    def is_at(self, row: Mapping[str, Any]) -> bool:
        """`row` is a job's."""
        return (self.index, self.stamp) == (row["JobModifyIndex"], row["SubmitTime"])


def digest(resource: Resource, key: bytes) -> str:
    """Of what is declared, secrets and all."""
    return secret.fingerprint(json.dumps(resource.spec, sort_keys=True), key)


class Memory:
    def __init__(self, directory: Path) -> None:
        self._file = directory / "memory.json"
        self._saved = self._read()
        self.known: dict[str, Known] = {name: Known(**known) for name, known in self._saved["known"].items()}
        self.registered: dict[str, int] = dict(self._saved["registered"])
        """JobModifyIndex by name, of jobs that this agent registered last: their deployments are looked for under it."""
        self.adopted: set[str] = set(self._saved["adopted"])

    def save(self, names: Collection[str]) -> None:
        """Of these names; the others are forgotten."""
        now = {
            "shape": _SHAPE,
            "known": {name: asdict(known) for name, known in sorted(self.known.items()) if name in names},
            "registered": {name: index for name, index in sorted(self.registered.items()) if name in names},
            "adopted": sorted(self.adopted),
        }
        if now != self._saved:
            staged = self._file.with_suffix(".new")
            staged.write_text(json.dumps(now))
            staged.replace(self._file)
            self._saved = now

    def _read(self) -> dict[str, Any]:
        empty = {"shape": _SHAPE, "known": {}, "registered": {}, "adopted": []}
        try:
            read = json.loads(self._file.read_text())
            return dict(read) if read["shape"] == _SHAPE and read.keys() == empty.keys() else empty
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return empty
