"""Reads and writes the record of what is ours."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.record import Record
from gitops_agent.targets.consul.rows import rows
from gitops_agent.targets.consul.transaction import Done, Operation, write


class Ownership:
    """The record as last seen or written by this process. One target is used by one thread at a time."""

    def __init__(self, client: Client, environment: str, target: str, prefix: str) -> None:
        self._client = client
        self._empty = Record.empty(environment, target, prefix)
        self.record = self._empty

    def check(self, names: Collection[str]) -> None:
        """Raises InvalidRevision when so many names could not be recorded."""
        self._empty.holding(names).check()

    def look(self) -> Record:
        key = self._empty.key
        found = rows(self._client.read(f"/v1/kv/{key}", needs=f'key "{key}" {{ policy = "write" }}'))
        self.record = self._empty.read(found[0].value, found[0].index) if found else self._empty
        return self.record

    def rewriting(self, names: Collection[str]) -> Operation | None:
        """What makes the record name exactly these; None where it does. `noted` must hear of the transaction it goes into."""
        if frozenset(names) == self.record.names:
            return None
        record = self.record.holding(names)
        record.check()
        self.record = record
        return Operation(record.key, record.index, record.content or None)

    def noted(self, done: Done) -> None:
        if any(operation.key == self.record.key for operation in done.operations):
            self.record = replace(self.record, index=done.indexes.get(self.record.key, 0))

    def write(self, operation: Operation | None) -> None:
        """In a transaction of its own."""
        for done in write(self._client, [operation] if operation else []):
            self.noted(done)
