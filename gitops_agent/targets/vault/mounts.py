"""Secrets engines and auth methods: `secrets-engines.yaml` and `auth-methods.yaml`. Compared with the list, where what nobody set
is nothing; the answer of `tune` has effective values instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.vault import likeness
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.kv_mount import await_kv, is_kv2
from gitops_agent.targets.vault.record import Note
from gitops_agent.targets.vault.resource_type import NOTHING, Notes, Resources, ResourceType

_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*/?")
_FIXED = ("type", "local", "seal_wrap")
_DEFAULTS = {"token_type": "default-service", "listing_visibility": "hidden", "version": "1"}


class _Mount(Declaration):
    type: str
    description: str = ""
    options: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    """What `tune` takes: default_lease_ttl, max_lease_ttl, listing_visibility …"""
    local: bool = False
    seal_wrap: bool = False


class Mounts(ResourceType):
    """`api` is where the list lies: `sys/mounts`, `sys/auth`."""

    api: ClassVar[str]
    own: ClassVar[tuple[str, ...]]
    """Vault's own, which are never touched."""

    def __init__(self, client: Client, record: str) -> None:
        self._client = client
        self._reserved = (*self.own, record)
        self.live: Mapping[str, Mapping[str, Any]] = {}
        """By path without a slash at its end, as last observed."""
        self.wanted: Mapping[str, Mapping[str, Any]] = {}

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Mount, _PATH):
            path = one.name.rstrip("/")
            if path in self._reserved:
                raise InvalidRevision.at(f"{path}/ is not for the repository to manage", one.origin)
            if one.value.type == "kv-v2":
                message = 'Vault keeps kv-v2 as type: kv with options: {version: "2"}; write it so'
                raise InvalidRevision.at(message, one.origin)
            spec = one.value.model_dump()
            spec["config"] = {name: _seconds(name, value) for name, value in spec["config"].items()}
            yield Resource(f"{self.label}:{path}", spec, origin=one.origin)

    def _look(self) -> None:
        answer = self._client.read(self.api)
        if not answer.found:
            raise Unavailable("what answers instead of vault speaks nonsense")
        self.live = {path.rstrip("/"): mount for path, mount in answer.data.items() if isinstance(mount, Mapping)}

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        self._look()
        self.wanted = {name.partition(":")[2]: resource.spec for name, resource in desired.items()}
        for path, found in self.live.items():
            name = f"{self.label}:{path}"
            if name in desired or name in owned:
                wanted = desired.get(name)
                if wanted is not None:
                    _refuse_another_type(wanted, found)
                spec = _spec(found, wanted, owned.get(name, NOTHING))
                yield Resource(name, spec, version=str(found.get("uuid", "")), owned=name in owned)

    def put(self, change: Change) -> Note:
        spec, path = change.resource.spec, change.name.partition(":")[2]
        if change.before is None:
            self._client.write(f"{self.api}/{path}", {**spec, "config": {}})
            if spec["type"] == "kv" and spec["options"].get("version") == "2":
                await_kv(self._client, path)
            if spec["config"]:
                self._tune(path, spec["config"])
            return self._note(path, spec)
        gone = {name: _nothing(value) for name, value in change.before.spec["config"].items() if name not in spec["config"]}
        options = {"options": spec["options"]} if spec["options"] != change.before.spec["options"] else {}
        self._tune(path, {**gone, **spec["config"], "description": spec["description"], **options})
        return self._note(path, spec)

    def delete(self, change: Change) -> None:
        self._client.delete(f"{self.api}/{change.name.partition(':')[2]}")

    def _note(self, path: str, spec: Mapping[str, Any]) -> Note:
        """What Vault itself chose, as a newer one may for every mount: it cannot be taken back, and is nobody's change."""
        self._look()
        config = self.live.get(path, {}).get("config") or {}
        chosen = {name: value for name, value in config.items() if name not in spec["config"] and not _default(name, value)}
        return Note(untold={name: _text(value) for name, value in chosen.items()})

    def _tune(self, path: str, config: Mapping[str, Any]) -> None:
        self._client.write(f"{self.api}/{path}/tune", config)


class Engines(Mounts):
    label: ClassVar = "engine"
    files: ClassVar[re.Pattern[str]] = re.compile(r"secrets-engines(-[^/]+)?\.ya?ml")
    example: ClassVar = "secrets-engines.yaml"
    api: ClassVar = "sys/mounts"
    own: ClassVar = ("sys", "identity", "cubbyhole", "auth")

    def is_kv2(self, path: str) -> bool:
        """Whether KV version 2 is mounted there, or is going to be."""
        mount = self.wanted.get(path) or self.live.get(path)
        return mount is not None and is_kv2(mount)


class AuthMethods(Mounts):
    label: ClassVar = "auth"
    files: ClassVar[re.Pattern[str]] = re.compile(r"auth-methods(-[^/]+)?\.ya?ml")
    example: ClassVar = "auth-methods.yaml"
    api: ClassVar = "sys/auth"
    own: ClassVar = ("token",)


def _refuse_another_type(wanted: Resource, found: Mapping[str, Any]) -> None:
    for field in _FIXED:
        if wanted.spec[field] != found.get(field, wanted.spec[field]):
            message = f"{wanted.name} has {field} {found[field]}, which cannot be changed: declare it at another path"
            raise InvalidRevision.at(message, wanted.origin)


def _spec(found: Mapping[str, Any], wanted: Resource | None, note: Note) -> Mapping[str, Any]:
    """In the words of the repository wherever both mean the same."""
    spec = {name: found.get(name) for name in _FIXED} | {"description": found.get("description") or ""}
    for part in ("options", "config"):
        said = wanted.spec[part] if wanted else {}
        live = {
            name: value
            for name, value in (found.get(part) or {}).items()
            if name in said or not (_default(name, value) or note.untold.get(name) == _text(value))
        }
        spec[part] = {
            name: said[name] if name in said and likeness.same(said[name], value) else value for name, value in live.items()
        }
        spec[part] |= {name: value for name, value in said.items() if name not in live and _default(name, value)}
    return spec


def _seconds(name: str, value: Any) -> Any:
    """Lifetimes as Vault tells them, whichever way they are written."""
    seconds = likeness.seconds(value) if name.endswith("_ttl") else None
    return value if seconds is None else int(seconds)


def _default(name: str, value: Any) -> bool:
    return likeness.empty(value) or value == _DEFAULTS.get(name)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _nothing(value: Any) -> Any:
    """What takes a tuned value back."""
    return [] if isinstance(value, list) else "" if isinstance(value, str) else 0
