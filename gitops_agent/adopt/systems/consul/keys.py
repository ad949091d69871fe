"""Keys: those that Vault, locks and the agent itself hold are theirs."""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from gitops_agent.adopt.described import Described, Entry
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.source import Source
from gitops_agent.adopt.tables import Table
from gitops_agent.targets.consul.settings import RECORDS


def describe(source: Source) -> Iterator[Described]:
    prefixes: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in source.get("/v1/kv/", params={"recurse": "true"}) or []:
        first, slash, _ = row["Key"].partition("/")
        if not slash:
            source.left.add(Why.SYSTEM, f"key {row['Key']}", "lies below no prefix: a target owns keys below one")
        elif f"{first}/" != RECORDS:
            prefixes[f"{first}/"].append(row)
    for prefix, rows in sorted(prefixes.items()):
        if any(row["Key"].startswith(f"{prefix}core/") for row in rows):
            source.left.add(Why.WRITTEN, f"keys {prefix}", "Vault's storage")
            continue
        entries = [_key(row, prefix) for row in rows if not _is_lock(row, source)]
        settings = {**source.settings, "prefix": prefix, "only": ["kv:*"], "secrets": ["file:*"]}
        yield Described(Table("consul", f"consul-{_slug(prefix)}", settings), tuple(entries))


def _is_lock(row: dict[str, Any], source: Source) -> bool:
    if row.get("Session"):
        source.left.add(Why.WRITTEN, f"key {row['Key']}", "a lock")
    return bool(row.get("Session"))


def _key(row: dict[str, Any], prefix: str) -> Entry:
    value = base64.b64decode(row["Value"] or "")
    name = row["Key"].removeprefix(prefix)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or (value and not text):
        return Entry.of(f"key {row['Key']}", f"kv/{name}", value)
    return Entry.of(f"key {row['Key']}", "kv.yaml", text, key=name)


def _slug(prefix: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", prefix.lower()).strip("-") or "keys"
