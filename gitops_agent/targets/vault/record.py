"""What is ours: a record beside it, in a KV version 2 mount of the agent's own.

Vault's objects have no room for a mark that says whose they are without being a part of what was declared. The record lies at
`<record>/<environment>/<target>` and is written with compare-and-set. A name is in it before its object is created and until after
its object is deleted. Beside the names it holds keyed digests of what Vault never tells again: write-only fields, and the values
that Vault itself chose for fields nobody declares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.kv_mount import enable_kv

_MOST_BYTES = 400 * 1024
"""Consul as Vault's storage takes half a megabyte; Raft takes one."""
_EACH = 300
"""Bytes that digests of one resource may take, in the estimate before anything is written."""


@dataclass(frozen=True)
class Note:
    """Keyed digests by field: of what was `written` and cannot be read, and of what is `untold` in the repository. `said`: fields
    that were declared, where it has to be known."""

    written: Mapping[str, str] = field(default_factory=dict)
    untold: Mapping[str, str] = field(default_factory=dict)
    said: tuple[str, ...] = ()


class Record:
    """As last seen or written by this process."""

    def __init__(self, client: Client, mount: str, path: str) -> None:
        self._client = client
        self._mount = mount
        self._path = path
        self._mounted = True
        self._version = 0
        self._saved: Mapping[str, Note] = {}
        self.notes: dict[str, Note] = {}
        """By name of the resource; changed by who applies, and kept by `save`."""

    def look(self) -> Mapping[str, Note]:
        """Raises Unavailable when somebody has written nonsense there: without it nothing may be created or pruned."""
        answer = self._client.read(f"{self._mount}/data/{self._path}")
        self._mounted = answer.routed
        self._version = int((answer.data.get("metadata") or {}).get("version", 0))
        try:
            owned = answer.data["data"]["owned"] if answer.found else {}
            self.notes = {
                name: Note(note.get("written", {}), note.get("untold", {}), tuple(note.get("said", ())))
                for name, note in owned.items()
            }
        except (KeyError, TypeError, AttributeError):
            where = f"{self._mount}/{self._path}"
            raise Unavailable(f"vault: the record of what is owned, {where}, is damaged; mend or delete it") from None
        self._saved = dict(self.notes)
        return self._saved

    def save(self) -> None:
        """Writes nothing where nothing changed. Raises Conflict when somebody else wrote it."""
        if self.notes == self._saved:
            return
        if not self._mounted:
            enable_kv(self._client, self._mount, "records of gitops-agent")
            self._mounted = True
        body = {"data": {"owned": {name: _plain(note) for name, note in sorted(self.notes.items())}}}
        answer = self._client.write(f"{self._mount}/data/{self._path}", {**body, "options": {"cas": self._version}})
        self._version = int(answer.data["version"])
        self._saved = dict(self.notes)

    @staticmethod
    def check(names: list[str]) -> None:
        """Raises InvalidRevision when so many names could not be recorded."""
        size = len(json.dumps(names)) + sum(_EACH for name in names if name.startswith("path:"))
        if size > _MOST_BYTES:
            raise InvalidRevision(
                f"{len(names)} names would take {size} bytes of record, {_MOST_BYTES} fit: split the target in two"
            )


def _plain(note: Note) -> Mapping[str, Any]:
    parts = {"written": dict(note.written), "untold": dict(note.untold), "said": list(note.said)}
    return {name: part for name, part in parts.items() if part}
