"""What is ours: the names of jobs in a Nomad variable, `gitops-agent/<environment>/<target>`, written with check-and-set.

A mark in a job's own Meta would restart everything it runs. A name is in the record before its job is registered and until after
it is deregistered.
"""

from __future__ import annotations

from collections.abc import Collection

from gitops_agent.errors import Conflict, InvalidRevision, Unavailable
from gitops_agent.targets.nomad.client import Client

_MOST_BYTES = 60 * 1024
"""Nomad takes 64 KiB, names of items and all."""
_ITEM = "owned"


class Record:
    """As last seen or written by this process. Names are those of resources."""

    def __init__(self, client: Client, namespace: str, environment: str, target: str) -> None:
        self._client = client
        self._namespace = namespace
        self._path = f"gitops-agent/{environment}/{target}"
        self._index = 0
        self.names: frozenset[str] = frozenset()

    def look(self) -> frozenset[str]:
        """Raises Unavailable when somebody has written nonsense there: without it nothing may be created or pruned."""
        answer = self._client.read(f"var/{self._path}", needs=self._needs("read"), accept=(404,))
        self._index, self.names = 0, frozenset()
        if answer.status == 200:
            try:
                self._index = int(answer.data["ModifyIndex"])
                self.names = frozenset(answer.data["Items"][_ITEM].split())
            except (KeyError, TypeError, ValueError, AttributeError):
                raise Unavailable(f"nomad: the variable {self._path}, the record of what is owned, is damaged; mend it") from None
        return self.names

    def write(self, names: Collection[str]) -> None:
        """Writes nothing where nothing changed. Raises Conflict when somebody else wrote it."""
        if frozenset(names) == self.names:
            return
        body = {"Namespace": self._namespace, "Path": self._path, "Items": {_ITEM: "\n".join(sorted(names))}}
        cas = {"cas": self._index}
        answer = self._client.write(
            "put", f"var/{self._path}", needs=self._needs("write"), parameters=cas, body=body, accept=(409,)
        )
        if answer.status == 409:
            raise Conflict(f"nomad: the variable {self._path} was changed by somebody else in the meantime")
        self._index = int(answer.data["ModifyIndex"])
        self.names = frozenset(names)

    @staticmethod
    def check(names: Collection[str], file: str) -> None:
        """Raises InvalidRevision when so many names could not be recorded."""
        if (size := sum(len(name.encode()) + 1 for name in names)) > _MOST_BYTES:
            message = f"{len(names)} names have {size} bytes, {_MOST_BYTES} fit into a Nomad variable: split the target in two"
            raise InvalidRevision(message, file=file)

    def _needs(self, capability: str) -> str:
        return f'namespace "{self._namespace}" {{ variables {{ path "{self._path}" {{ capabilities = ["{capability}"] }} }} }}'
