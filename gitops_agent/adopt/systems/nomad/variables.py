"""Variables of all namespaces. They are where people put secrets: what could be one, becomes a reference."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_agent.adopt import confidential
from gitops_agent.adopt.described import Entry
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.source import Source

_RECORDS = "gitops-agent/"
_DEFAULT = "default"
_HARMLESS = re.compile(r"https?://[\w.-]+(:\d+)?/?|[\w.-]+:\d+|\.{0,2}/[\w./-]+|[A-Za-z]+( [A-Za-z]+)*")
"""Addresses and paths with nothing in them, words."""
_MASKABLE = 4


def describe(source: Source) -> Iterator[tuple[str, Entry]]:
    """Each with its namespace."""
    for row in source.get("/v1/vars", params={"namespace": "*"}) or []:
        path, namespace = row["Path"], row["Namespace"]
        said = f"variable {path}" if namespace == _DEFAULT else f"variable {path} in {namespace}"
        if path.startswith(_RECORDS):
            continue
        if row.get("Lock"):
            source.left.add(Why.WRITTEN, said, "a lock")
            continue
        items = (source.get(f"/v1/var/{path}", params={"namespace": namespace}) or {}).get("Items") or {}
        secrets = {name: value for name, value in items.items() if _may_be_secret(name, value)}
        if open_ := sorted(items.keys() - secrets):
            source.left.add(Why.ATTENTION, said, f"taken for no secrets, and open in the config repo: {', '.join(open_)}")
        called = path.rpartition("/")[2]
        told = tuple((f"{called} {name}", value) for name, value in secrets.items())
        yield namespace, Entry.of(said, "variables.yaml", items, key=path, secrets=told)


def _may_be_secret(name: str, value: str) -> bool:
    if len(value.strip()) < _MASKABLE:
        return False
    return confidential.is_secret_name(name) or (confidential.is_strong(value) and not _HARMLESS.fullmatch(value))
