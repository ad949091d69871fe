"""What is ours: a record beside it, for a key has no room for a mark that outlives an edit in Consul's UI, and little else has.

The record lies at `gitops-agent/<environment>/<target>` and is written with compare-and-set. A name is in it before its object is
created and until after its object is deleted, so changes of content never write it. What is not in it is foreign.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.targets.consul.settings import RECORDS

MAX_BYTES = 380 * 1024
"""So that it fits into a transaction, whose body Consul limits to 512 KB and holds it in base64."""


@dataclass(frozen=True)
class Record:
    """Names of owned resources. `prefix` is written once for all names that begin with it: `kv:mini/`."""

    key: str
    prefix: str
    names: frozenset[str] = frozenset()
    index: int = 0
    """ModifyIndex; 0 while there is no record."""

    @classmethod
    def empty(cls, environment: str, target: str, prefix: str) -> Record:
        return cls(f"{RECORDS}{environment}/{target}", prefix)

    def read(self, content: bytes, index: int) -> Record:
        """Raises Unavailable when somebody has written nonsense there: without it nothing may be created or pruned."""
        try:
            names = [prefix + _text(name) for prefix, rest in json.loads(content).items() for name in rest]
        except (ValueError, AttributeError, TypeError):
            raise Unavailable(f"consul: the record of what is owned, {self.key}, is damaged; mend or delete it") from None
        return replace(self, names=frozenset(names), index=index)

    def holding(self, names: Iterable[str]) -> Record:
        return replace(self, names=frozenset(names))

    def of(self, label: str) -> Collection[str]:
        """The names of one type of resource."""
        return [name for name in self.names if name.startswith(f"{label}:")]

    @property
    def content(self) -> bytes:
        """Empty when it says nothing: then there shall be no record."""
        if not self.names:
            return b""
        by_prefix: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self.names):
            prefix = self.prefix if name.startswith(self.prefix) else f"{name.partition(':')[0]}:"
            by_prefix[prefix].append(name[len(prefix) :])
        return json.dumps(by_prefix, ensure_ascii=False, separators=(",", ":")).encode()

    def check(self) -> None:
        """Raises InvalidRevision when it would not fit into Consul."""
        if (size := len(self.content)) > MAX_BYTES:
            raise InvalidRevision(f"{len(self.names)} names have {size} bytes, {MAX_BYTES} fit: split the target in two")


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError
    return name
