"""Which keys are ours: a record beside them, for a key has no room for a mark that outlives an edit in Consul's UI.

The record lies at `gitops-agent/<environment>/<target>` and is written with compare-and-set. A name is in it before its key is
created and until after its key is deleted, so changes of values never write it. A key that is not in it is foreign.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.targets.consul.settings import RECORDS

MAX_BYTES = 380 * 1024
"""So that it fits into a transaction, whose body Consul limits to 512 KB and holds it in base64."""


@dataclass(frozen=True)
class Record:
    """Owned keys below `prefix`. `others` is what it says of prefixes that the target had before: kept, in case they come back, and
    never pruned."""

    key: str
    prefix: str
    names: frozenset[str] = frozenset()
    others: tuple[tuple[str, tuple[str, ...]], ...] = ()
    index: int = 0
    """ModifyIndex; 0 while there is no record."""

    @classmethod
    def empty(cls, environment: str, target: str, prefix: str) -> Record:
        return cls(f"{RECORDS}{environment}/{target}", prefix)

    def read(self, content: bytes, index: int) -> Record:
        """Raises Unavailable when somebody has written nonsense there: without it nothing may be created or pruned."""
        try:
            by_prefix = {str(prefix): [str(name) for name in names] for prefix, names in json.loads(content).items()}
        except (ValueError, AttributeError, TypeError):
            raise Unavailable(f"consul: the record of owned keys, {self.key}, is damaged; mend or delete it") from None
        names = by_prefix.pop(self.prefix, [])
        others = tuple((prefix, tuple(names)) for prefix, names in by_prefix.items())
        return replace(self, names=frozenset(self.prefix + name for name in names), others=others, index=index)

    def holding(self, names: Collection[str]) -> Record:
        return replace(self, names=frozenset(names))

    @property
    def content(self) -> bytes:
        """Empty when it says nothing: then there shall be no record."""
        if not self.names and not self.others:
            return b""
        mine = sorted(name[len(self.prefix) :] for name in self.names)
        return json.dumps({self.prefix: mine, **dict(self.others)}, ensure_ascii=False, separators=(",", ":")).encode()

    def check(self) -> None:
        """Raises InvalidRevision when it would not fit into Consul."""
        if (size := len(self.content)) > MAX_BYTES:
            raise InvalidRevision(
                f"the names of {len(self.names)} keys have {size} bytes, {MAX_BYTES} fit: split the target in two"
            )
