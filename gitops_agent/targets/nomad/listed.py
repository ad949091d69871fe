"""Types that one list call tells of, in full or by index: what is known to be as declared at that index is not asked for again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from gitops_agent.errors import Unavailable
from gitops_agent.model import Resource
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.memory import Known, Memory, digest
from gitops_agent.targets.nomad.resource_type import ResourceType
from gitops_agent.targets.nomad.words import Object


class Listed(ResourceType):
    """`_rows` of the last list are kept by name."""

    collection: ClassVar[str]
    """`acl/policies`, of `/v1/acl/policies`."""
    whole_in_list: ClassVar[bool] = True
    """Whether the list says everything, or each thing must be asked for."""
    stamp: ClassVar[str] = "Hash"
    """A field of a row that tells two Nomads apart that count from the same index."""

    def __init__(self, client: Client, memory: Memory, key: bytes) -> None:
        self._client = client
        self._memory = memory
        self._key = key
        self._rows: dict[str, Object] = {}

    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        try:
            self._rows = {self._name(row): row for row in self._client.read(self.collection, needs=self._needs("list")).data}
            for wanted in desired:
                yield from self._observed(wanted, owned=wanted.name in owned)
            for name in sorted(set(owned) - {wanted.name for wanted in desired}):
                if name in self._rows:
                    yield Resource(name, {"live": {}}, version=int(self._rows[name]["ModifyIndex"]))
                else:
                    self._refuse_hidden(name)
        except (KeyError, TypeError, AttributeError):
            raise Unavailable("what answers instead of nomad speaks nonsense") from None

    @property
    def names(self) -> Collection[str]:
        """Of all that was listed."""
        return self._rows.keys()

    @abstractmethod
    def _path(self, name: str) -> str:
        """Where a thing can be read."""

    @abstractmethod
    def _spec(self, found: Object, wanted: Resource) -> Mapping[str, Any]:
        """The live thing in the shape of the desired one."""

    def _name(self, row: Object) -> str:
        return f"{self.label}:{row['Name']}"

    @abstractmethod
    def _needs(self, what: str) -> str:
        """What the token must be allowed, for errors."""

    def _hidden(self, name: str) -> bool:  # noqa: ARG002 -- most lists are whole or refused
        """Whether a thing that is not in the list is there all the same."""
        return False

    def _asked_for(self, name: str) -> Object | None:
        answer = self._client.read(self._path(name), needs=self._needs("read"), accept=(404,))
        return None if answer.status == 404 else dict(answer.data)

    def _refuse_hidden(self, name: str) -> None:
        if self._hidden(name):
            raise Unavailable(f"nomad hides {name} from its list: the agent's token lacks {self._needs('list')}")

    def _observed(self, wanted: Resource, *, owned: bool) -> Iterator[Resource]:
        row = self._rows.get(wanted.name)
        if row is None:
            self._refuse_hidden(wanted.name)
            return
        now = Known(digest(wanted, self._key), int(row["ModifyIndex"]), row[self.stamp])
        if self._memory.known.get(wanted.name) == now:
            yield Resource(wanted.name, wanted.spec, version=now.index, owned=owned)
            return
        found = row if self.whole_in_list else self._asked_for(wanted.name)
        if found is None:  # deleted since the list was made
            return
        spec = self._spec(found, wanted)
        if spec == wanted.spec and found["ModifyIndex"] == now.index:
            self._memory.known[wanted.name] = now
        else:
            self._memory.known.pop(wanted.name, None)
        yield Resource(wanted.name, spec, version=int(found["ModifyIndex"]), owned=owned)
