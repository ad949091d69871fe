"""Consul: keys by their first part, each prefix a target of its own, and what there is of ACLs."""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from gitops_agent.adopt.described import Described, Entry
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.source import Source
from gitops_agent.adopt.tables import Table
from gitops_agent.errors import AgentError
from gitops_agent.targets.consul import links
from gitops_agent.targets.consul.settings import RECORDS

_MANAGEMENT = "global-management"
_OWN_POLICIES = (_MANAGEMENT, "builtin/global-read-only")
_ANONYMOUS = "00000000-0000-0000-0000-000000000002"
_ACL = ["policy:*", "role:*", "token:*"]


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
    try:
        acl = [*_policies(source), *_roles(source), *_tokens(source)]
    except AgentError as error:
        source.left.add(Why.ATTENTION, "consul's ACLs", str(error))
        return
    yield Described(Table("consul", "consul", {**source.settings, "only": _ACL, "secrets": ["file:*"]}), tuple(acl))


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


def _policies(source: Source) -> Iterator[Entry]:
    for stub in source.get("/v1/acl/policies") or []:
        if stub["Name"] not in _OWN_POLICIES:
            rules = (source.get(f"/v1/acl/policy/{stub['ID']}") or {}).get("Rules", "")
            ending = "json" if rules.lstrip().startswith("{") else "hcl"
            yield Entry.of(f"policy {stub['Name']}", f"policies/{stub['Name']}.{ending}", f"{rules.rstrip()}\n")


def _roles(source: Source) -> Iterator[Entry]:
    for found in source.get("/v1/acl/roles") or []:
        value = {"description": found.get("Description"), **links.live(found)}
        yield Entry.of(f"role {found['Name']}", "roles.yaml", _said(value), key=found["Name"])


def _tokens(source: Source) -> Iterator[Entry]:
    """By accessor; their secrets stay in Consul. Those that others issue come and go, and those of administrators are theirs."""
    names: set[str] = set()
    for found in source.get("/v1/acl/tokens") or []:
        accessor, described = found["AccessorID"], found.get("Description") or ""
        said = f"token {described or accessor}"
        if accessor == _ANONYMOUS:
            continue
        if found.get("AuthMethod") or found.get("ExpirationTime") or described.startswith("Vault "):
            source.left.add(Why.WRITTEN, said, "issued for a while")
        elif any(link["Name"] == _MANAGEMENT for link in found.get("Policies") or []):
            source.left.add(Why.SYSTEM, said, "may do everything: an administrator's")
        else:
            name = _free(re.sub(r"[^A-Za-z0-9_.-]+", "-", described).strip("-.") or accessor, names)
            value = {"accessor_id": accessor, "local": found.get("Local"), "roles": _names(found.get("Roles"))}
            yield Entry.of(said, "tokens.yaml", _said({**value, **links.live(found)}), key=name)


def _names(found: Sequence[dict[str, Any]] | None) -> list[str]:
    return [link["Name"] for link in found or ()]


def _said(value: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing."""
    return {name: one for name, one in value.items() if one}


def _free(wish: str, taken: set[str]) -> str:
    name = next(name for name in (wish, *(f"{wish}-{number}" for number in range(2, 10_000))) if name not in taken)
    taken.add(name)
    return name


def _slug(prefix: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", prefix.lower()).strip("-") or "keys"
