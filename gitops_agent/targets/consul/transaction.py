"""Writes to Consul's KV store in transactions, each within Consul's limits and none without compare-and-set."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_agent.errors import ApplyFailed, Conflict
from gitops_agent.model import Change
from gitops_agent.targets.consul.client import Client

_MOST_OPERATIONS = 64
_MOST_BYTES = 512 * 1024 - 1024
"""Of a body, which Consul limits to 512 KB (`txn_max_req_len`)."""


@dataclass(frozen=True)
class Operation:
    """One compare-and-set. `value` is None for a delete, `index` 0 for a key that must not exist, `change` None for the record."""

    key: str
    index: int
    value: bytes | None
    change: Change | None = None

    @property
    def body(self) -> bytes:
        operation: dict[str, Any] = {"Verb": "delete-cas" if self.value is None else "cas", "Key": self.key, "Index": self.index}
        if self.value is not None:
            operation["Value"] = base64.b64encode(self.value).decode()
        return json.dumps({"KV": operation}).encode()

    @property
    def needs(self) -> str:
        return f'key "{self.key}" {{ policy = "write" }}'


@dataclass(frozen=True)
class Done:
    """One transaction that Consul has committed, with the new ModifyIndex of each key that it says one of."""

    operations: tuple[Operation, ...]
    indexes: Mapping[str, int]


def write(client: Client, operations: Iterable[Operation]) -> Iterator[Done]:
    """Commits in order and yields after each transaction. Raises Conflict and ApplyFailed naming the key, Unavailable."""
    chunk: list[Operation] = []
    bodies: list[bytes] = []
    size = 0
    for operation in operations:
        body = operation.body
        if chunk and (len(chunk) == _MOST_OPERATIONS or size + len(body) > _MOST_BYTES):
            yield _commit(client, chunk, bodies)
            chunk, bodies, size = [], [], 0
        chunk.append(operation)
        bodies.append(body)
        size += len(body) + 1
    if chunk:
        yield _commit(client, chunk, bodies)


def _commit(client: Client, operations: list[Operation], bodies: list[bytes]) -> Done:
    first = operations[0]
    if len(operations) == 1 and len(bodies[0]) > _MOST_BYTES:
        return _put(client, first)
    needs = f"{first.needs}{' and more' if len(operations) > 1 else ''}"
    answer = client.write("put", "/v1/txn", needs=needs, body=b"[" + b",".join(bodies) + b"]", accept=(409,))
    if answer.status == 409:
        raise _rolled_back(operations, answer.data)
    results = (answer.data or {}).get("Results") or []
    return Done(tuple(operations), {result["KV"]["Key"]: int(result["KV"]["ModifyIndex"]) for result in results})


def _put(client: Client, operation: Operation) -> Done:
    """In base64 the value exceeds a transaction's limit; alone and raw it does not."""
    parameters = [("cas", operation.index)]
    answer = client.write("put", f"/v1/kv/{operation.key}", needs=operation.needs, parameters=parameters, body=operation.value)
    if answer.data is not True:
        raise _lost(operation)
    return Done((operation,), {})


def _rolled_back(operations: list[Operation], data: Any) -> ApplyFailed:
    errors = (data or {}).get("Errors") or [{"OpIndex": 0, "What": "no reason given"}]
    operation, what = operations[errors[0]["OpIndex"]], str(errors[0]["What"])
    if "stale" in what:
        return _lost(operation)
    if "ermission denied" in what:
        return ApplyFailed(f"consul: the agent's token lacks {operation.needs}")
    return ApplyFailed(f"consul refused {operation.key}: {what}")


def _lost(operation: Operation) -> Conflict:
    return Conflict(f"kv:{operation.key} was changed by somebody else in the meantime")
