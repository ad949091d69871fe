"""Keys and values: one recursive read, transactions with compare-and-set."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

from gitops_agent.model import Batch, Change, Files, Resource
from gitops_agent.seen import Seen
from gitops_agent.targets.consul import keys
from gitops_agent.targets.consul.client import Answer, Client, Parameters
from gitops_agent.targets.consul.ownership import Ownership
from gitops_agent.targets.consul.resource_type import ResourceType
from gitops_agent.targets.consul.rows import rows
from gitops_agent.targets.consul.settings import ConsulSettings
from gitops_agent.targets.consul.transaction import Done, Operation, write

_WAIT = "4s"
"""Of one blocking query: how long a watch that is to end may take to notice."""
_PAUSE = 0.5
"""Seconds between two looks of a watch while others keep writing."""


class KeyValues(ResourceType):
    label: ClassVar = "kv"
    files: ClassVar[re.Pattern[str]] = keys.FILES
    example: ClassVar = "kv.yaml, kv-*.yaml, kv/…"

    def __init__(self, settings: ConsulSettings, prefix: str, client: Client, ownership: Ownership) -> None:
        self._settings = settings
        self._prefix = prefix
        self._client = client
        self._ownership = ownership
        self._seen = Seen()

    def parse(self, files: Files) -> Iterator[Resource]:
        yield from keys.parse(files, self._prefix)

    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        found = [
            Resource(f"kv:{row.key}", {"value": keys.text(row.value)}, version=row.index, owned=f"kv:{row.key}" in owned)
            for row in rows(self._read(self._client))
        ]
        concerned = {*owned, *(resource.name for resource in desired)}
        self._seen.look({resource.name: int(resource.version) for resource in found if resource.name in concerned})
        yield from found

    def apply(self, changes: Sequence[Change], first: Operation | None = None, last: Operation | None = None) -> Iterator[Batch]:
        """`first` and `last` are for the record, in the same transactions where they fit. Yields after each transaction, with the
        lock of `seen` only held while it is under way."""
        operations = [operation for operation in (first, *map(_operation, changes), last) if operation is not None]
        commits = write(self._client, operations)
        while True:
            with self._seen.writing() as indexes:
                done = next(commits, None)
                if done is None:
                    return
                _note(done, indexes)
            self._ownership.noted(done)
            batch = tuple(operation.change for operation in done.operations if operation.change is not None)
            if batch:
                yield batch

    def watch(self) -> Iterator[str]:
        """A blocking query, with the rules of Consul's documentation: an index that goes back starts anew, a return is not yet a
        change, and who writes without end is looked at now and then only."""
        client = Client(self._settings)
        index = 0
        try:
            while True:
                answer = self._read(client, [("index", index), ("wait", _WAIT)] if index else [])
                live = {f"kv:{row.key}": row.index for row in rows(answer)}
                returned, index = index, answer.index
                if index < returned:
                    yield "consul's index went back: restored from a snapshot?"
                    index = 0
                elif index > returned:
                    yield self._seen.difference(live, index)
                    time.sleep(_PAUSE)
                else:
                    yield ""
        finally:
            client.close()

    def _read(self, client: Client, parameters: Parameters = ()) -> Answer:
        needs = f'key_prefix "{self._prefix}" {{ policy = "write" }}'
        return client.read(f"/v1/kv/{self._prefix}", needs=needs, parameters=[("recurse", "true"), *parameters])


def _operation(change: Change) -> Operation:
    key = change.name.removeprefix("kv:")
    index = int(change.before.version) if change.before else 0
    if change.after is None:
        return Operation(key, index, None, change)
    value = change.after.spec["value"]
    return Operation(key, index, value.encode() if isinstance(value, str) else value, change)


def _note(done: Done, indexes: dict[str, int]) -> None:
    for operation in done.operations:
        if operation.change is None:
            continue
        if operation.value is None:
            indexes.pop(operation.change.name, None)
        else:
            indexes[operation.change.name] = done.indexes.get(operation.key, 0)
