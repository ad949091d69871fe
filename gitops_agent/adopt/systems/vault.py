"""Vault or OpenBao: policies, engines, auth methods, audit devices, and the roles of engines and methods that list them.

Entries of KV stay where they are: a secret store keeps its secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_agent.adopt.described import Described, Entry, Part
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.saying import said
from gitops_agent.adopt.systems.source import Source
from gitops_agent.adopt.tables import Table
from gitops_agent.targets.vault import likeness

_OWN_POLICIES = ("default", "root", "control-group", "response-wrapping")
_OWN_ENGINES = ("sys", "identity", "cubbyhole", "auth", "gitops-agent")
_ROLES: Mapping[str, str] = {
    "consul": "roles",
    "nomad": "role",
    "approle": "role",
    "jwt": "role",
    "database": "roles",
    "pki": "roles",
}
"""Where the roles of a type lie below its path."""
_DEFAULTS = {"token_type": "default-service", "listing_visibility": "hidden"}


def describe(source: Source) -> Iterator[Described]:
    engines = _mounts(source, "mounts", "secrets-engines.yaml", _OWN_ENGINES)
    methods = _mounts(source, "auth", "auth-methods.yaml", ("token",))
    entries = [*engines, *methods, *_policies(source), *_audit(source)]
    for entry in engines:
        mount = entry.parts[0]
        entries += _roles(source, mount, mount.key)
        if mount.value["type"] == "kv":
            source.left.add(Why.SYSTEM, f"entries of {mount.key}/", "stay in Vault; what else needs them refers to them there")
    for entry in methods:
        entries += _roles(source, entry.parts[0], f"auth/{entry.parts[0].key}")
    yield Described(Table("vault", "vault", {**source.settings, "secrets": ["file:*"]}), tuple(entries))


def _data(source: Source, path: str, *, method: str = "GET") -> dict[str, Any]:
    answer = source.get(f"/v1/{path}", method=method)
    data = answer.get("data") if isinstance(answer, dict) else None
    return data if isinstance(data, dict) else {}


def _policies(source: Source) -> Iterator[Entry]:
    for name in _data(source, "sys/policies/acl", method="LIST").get("keys", ()):
        if name not in _OWN_POLICIES:
            text = _data(source, f"sys/policies/acl/{name}").get("policy", "")
            yield Entry.of(f"policy {name}", f"policies/{name}.hcl", f"{text.rstrip()}\n")


def _mounts(source: Source, api: str, file: str, own: tuple[str, ...]) -> list[Entry]:
    found = []
    for path, mount in _data(source, f"sys/{api}").items():
        name = path.rstrip("/")
        if name in own or not isinstance(mount, dict):
            continue
        value = {"type": mount["type"], "description": mount.get("description")}
        for part in ("options", "config"):
            value[part] = {key: one for key, one in (mount.get(part) or {}).items() if not _unsaid(key, one)}
        value |= {flag: mount.get(flag) for flag in ("local", "seal_wrap")}
        found.append(Entry.of(f"{file.removesuffix('.yaml')}: {path}", file, said(value), key=name))
    return found


def _audit(source: Source) -> Iterator[Entry]:
    for path, device in _data(source, "sys/audit").items():
        if isinstance(device, dict):
            value = {name: device.get(name) for name in ("type", "description", "options", "local")}
            yield Entry.of(f"audit device {path}", "audit.yaml", said(value), key=path.rstrip("/"))


def _roles(source: Source, mount: Part, place: str) -> Iterator[Entry]:
    below = _ROLES.get(mount.value["type"])
    if below is None:
        return
    for name in _data(source, f"{place}/{below}", method="LIST").get("keys", ()):
        path = f"{place}/{below}/{name}"
        value = {field: one for field, one in _data(source, path).items() if not likeness.empty(one)}
        yield Entry.of(f"path {path}", "paths.yaml", value, key=path)


def _unsaid(name: str, value: Any) -> bool:
    return likeness.empty(value) or value == _DEFAULTS.get(name)
