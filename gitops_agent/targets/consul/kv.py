"""Keys and values: one recursive read, one read of the record, transactions with compare-and-set."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Action, Batch, Change, Files, Resource
from gitops_agent.target import Site
from gitops_agent.targets.consul import keys
from gitops_agent.targets.consul.client import Answer, Client, Parameters
from gitops_agent.targets.consul.record import Record
from gitops_agent.targets.consul.resource_type import ResourceType
from gitops_agent.targets.consul.seen import Seen
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

    def __init__(self, settings: ConsulSettings, site: Site, client: Client) -> None:
        self._settings = settings
        self._client = client
        self._prefix = settings.prefix or f"{site.environment}/"
        self._record = Record.empty(site.environment, settings.name, self._prefix)
        self._seen = Seen()

    def scope(self) -> frozenset[str]:
        return frozenset({f"kv:{self._prefix}"})

    def parse(self, files: Files) -> Iterator[Resource]:
        resources = [*keys.parse(files, self._prefix)]
        try:
            self._record.holding([_key(resource.name) for resource in resources]).check()
        except InvalidRevision as error:
            raise InvalidRevision(str(error), file=next(iter(files))) from None
        yield from resources

    def observe(self, desired: Sequence[Resource]) -> Iterator[Resource]:
        self._record = self._read_record()
        rows = _rows(self._read_keys(self._client))
        concerned = self._record.names | {_key(resource.name) for resource in desired}
        self._seen.look({row.key: row.index for row in rows if row.key in concerned})
        for row in rows:
            owned = row.key in self._record.names
            yield Resource(f"kv:{row.key}", {"value": keys.text(row.value)}, version=row.index, owned=owned)

    def apply(self, changes: Sequence[Change]) -> Iterator[Batch]:
        puts = [change for change in changes if change.action is not Action.DELETE]
        yield from self._write([*self._claim(puts), *map(_operation, puts)])
        deletes = [change for change in changes if change.action is Action.DELETE]
        yield from self._write([*map(_operation, deletes), *self._disclaim(deletes)])

    def watch(self) -> Iterator[str]:
        """A blocking query, with the rules of Consul's documentation: an index that goes back starts anew, a return is not yet a
        change, and who writes without end is looked at now and then only."""
        client = Client(self._settings)
        index = 0
        try:
            while True:
                answer = self._read_keys(client, [("index", index), ("wait", _WAIT)] if index else [])
                live = {row.key: row.index for row in _rows(answer)}
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

    def _read_record(self) -> Record:
        key = self._record.key
        answer = self._client.read(f"/v1/kv/{key}", needs=f'key "{key}" {{ policy = "write" }}')
        empty = replace(self._record.holding(()), others=(), index=0)
        rows = _rows(answer)
        return empty.read(rows[0].value, rows[0].index) if rows else empty

    def _read_keys(self, client: Client, parameters: Parameters = ()) -> Answer:
        needs = f'key_prefix "{self._prefix}" {{ policy = "write" }}'
        return client.read(f"/v1/kv/{self._prefix}", needs=needs, parameters=[("recurse", "true"), *parameters])

    def _claim(self, puts: Sequence[Change]) -> Iterator[Operation]:
        """Goes first: should the agent die after it, a claimed key that does not exist is simply created by the next run."""
        names = self._record.names | {_key(change.name) for change in puts}
        yield from self._rewrite(names)

    def _disclaim(self, deletes: Sequence[Change]) -> Iterator[Operation]:
        """Goes last. Names of keys that others deleted go too: whoever creates such a key again shall find it to be theirs."""
        deleted = {_key(change.name) for change in deletes}
        yield from self._rewrite({name for name in self._record.names if name in self._seen and name not in deleted})

    def _rewrite(self, names: set[str] | frozenset[str]) -> Iterator[Operation]:
        if names == self._record.names:
            return
        record = self._record.holding(names)
        record.check()
        yield Operation(record.key, record.index, record.content or None)
        self._record = record

    def _write(self, operations: Sequence[Operation]) -> Iterator[Batch]:
        """Yields after each transaction, with the lock of `seen` only held while it is under way."""
        commits = write(self._client, operations)
        while True:
            with self._seen.writing() as indexes:
                done = next(commits, None)
                if done is None:
                    return
                self._note(done, indexes)
            changes = tuple(operation.change for operation in done.operations if operation.change is not None)
            if changes:
                yield changes

    def _note(self, done: Done, indexes: dict[str, int]) -> None:
        for operation in done.operations:
            if operation.key == self._record.key:
                self._record = replace(self._record, index=done.indexes.get(operation.key, 0))
            elif operation.value is None:
                indexes.pop(operation.key, None)
            else:
                indexes[operation.key] = done.indexes.get(operation.key, 0)


def _key(name: str) -> str:
    return name.removeprefix("kv:")


def _operation(change: Change) -> Operation:
    index = int(change.before.version) if change.before else 0
    if change.after is None:
        return Operation(_key(change.name), index, None, change)
    value = change.after.spec["value"]
    return Operation(_key(change.name), index, value.encode() if isinstance(value, str) else value, change)


@dataclass(frozen=True)
class _Row:
    key: str
    value: bytes
    index: int


def _rows(answer: Answer) -> list[_Row]:
    try:
        return [
            _Row(row["Key"], base64.b64decode(row["Value"] or "", validate=True), int(row["ModifyIndex"]))
            for row in answer.data or []
        ]
    except (TypeError, KeyError, ValueError):
        raise Unavailable("what answers instead of consul speaks nonsense") from None
