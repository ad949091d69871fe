"""KV version 2 entries: `kv.yaml`. An entry is declared whole; a value marked `!generate` is a random secret that Vault alone
knows, made once and never changed by a second run. Values are taken for secrets, wherever they come from: none is ever shown.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

from gitops_agent import secret
from gitops_agent.document import Document, Entry
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Change, Files, Origin, Resource
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.mounts import Engines
from gitops_agent.targets.vault.record import Note
from gitops_agent.targets.vault.resource_type import NOTHING, Notes, Resources, ResourceType

_TAG = "!generate"
_NAME = re.compile(r"[^/\s]+(/[^/\s]+)+")
_LENGTH = 32
_CHARACTERS = {"letters": string.ascii_letters, "alphanumeric": string.ascii_letters + string.digits, "hex": "0123456789abcdef"}
_UNDECLARED = "(a value that is not declared)"


@dataclass(frozen=True)
class _Live:
    """`values` are None while the latest version is deleted; `restorable` where it could be brought back."""

    version: int = 0
    values: Mapping[str, Any] | None = None
    restorable: bool = False


class Entries(ResourceType):
    label: ClassVar = "kv"
    files: ClassVar[re.Pattern[str]] = re.compile(r"kv(-[^/]+)?\.ya?ml")
    example: ClassVar = "kv.yaml"

    def __init__(self, client: Client, engines: Engines, record: str) -> None:
        self._client = client
        self._engines = engines
        self._record = record
        self._live: dict[str, _Live] = {}

    def parse(self, files: Files) -> Iterator[Resource]:
        for path, content in files.items():
            document = Document(path, content)
            for entry in document.entries(document.root):
                parts = entry.name.split("/")
                if not _NAME.fullmatch(entry.name) or {".", "..", ""} & {*parts} or parts[0] == self._record:
                    raise InvalidRevision(f"{entry.name!r} cannot be an entry: MOUNT/PATH", file=path, line=entry.line)
                spec = _declared(document, entry)
                # `shown` makes it a secret: what lives in Vault is not printed, even where the repository's own text is plain.
                yield Resource(f"kv:{entry.name}", spec, shown=spec, origin=Origin(path, entry.line))

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        self._live = {}
        for name in {**desired, **owned}:
            if name in desired:
                self._refuse_other_engines(desired[name])
            self._live[name] = live = self._read(name)
            if live.values is not None:
                spec = _spec(live.values, desired.get(name))
                yield Resource(name, spec, shown={}, version=live.version, owned=name in owned)

    def put(self, change: Change) -> Note:
        live = self._live.get(change.name, _Live())
        spec = change.resource.spec
        if live.values is None and live.restorable and spec.get("generate"):
            # Taken out of the repository and put in again: its programs still have the old secrets.
            self._client.write(_path(change.name, "undelete"), {"versions": [live.version]})
            live = self._read(change.name)
        old = live.values or {}
        made = {key: old[key] if key in old else _random(**how) for key, how in spec.get("generate", {}).items()}
        for key, value in made.items():
            if isinstance(value, str) and len(value) > 3:
                secret.remember(value, f"{change.name}#{key}")
        values = {**spec["data"], **made}
        if values != live.values:
            self._client.write(_path(change.name, "data"), {"data": values, "options": {"cas": live.version}})
        return NOTHING

    def delete(self, change: Change) -> None:
        """Vault keeps the deleted version, so that a mistake can be taken back."""
        self._client.delete(_path(change.name, "data"))

    def _read(self, name: str) -> _Live:
        answer = self._client.read(_path(name, "data"))
        metadata = answer.data.get("metadata") or {}
        version = int(metadata.get("version", 0))
        values = answer.data.get("data") if answer.found else None
        return _Live(version, values, bool(metadata.get("deletion_time")) and not metadata.get("destroyed"))

    def _refuse_other_engines(self, wanted: Resource) -> None:
        mount = wanted.name.removeprefix("kv:").partition("/")[0]
        if not self._engines.is_kv2(mount):
            message = f"{wanted.name}: {mount}/ is no KV version 2, neither in Vault nor here"
            raise InvalidRevision.at(message, wanted.origin)


def _declared(document: Document, entry: Entry) -> dict[str, Any]:
    data: dict[str, Any] = {}
    generate: dict[str, Any] = {}
    for one in document.entries(entry.node):
        if one.node.tag == _TAG:
            generate[one.name] = _how(document, one.node)
        else:
            value = document.plain(one.node)
            if value is None:
                message = f'{one.name} has no value; write "" for an empty one'
                raise InvalidRevision(message, file=document.file, line=one.line)
            data[one.name] = value
    if not data and not generate:
        raise InvalidRevision(f"{entry.name} holds nothing", file=document.file, line=entry.line)
    return {"data": data, "generate": generate} if generate else {"data": data}


def _how(document: Document, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode) and not node.value:
        return {"length": _LENGTH, "characters": "alphanumeric"}
    if isinstance(node, yaml.MappingNode):
        node.tag = "tag:yaml.org,2002:map"
        how = {"length": _LENGTH, "characters": "alphanumeric", **document.plain(node)}
        if {*how} == {"length", "characters"} and how["characters"] in _CHARACTERS and how["length"] in range(16, 1025):
            return how
    names = ", ".join(_CHARACTERS)
    raise document.error(f"{_TAG} takes {{length: 16 … 1024, characters: {names}}}, or nothing", node)


def _random(length: int, characters: str) -> str:
    return "".join(secrets.choice(_CHARACTERS[characters]) for _ in range(length))


def _spec(values: Mapping[str, Any], wanted: Resource | None) -> Mapping[str, Any]:
    generate = wanted.spec.get("generate", {}) if wanted else {}
    declared = wanted.spec["data"] if wanted else {}
    data = {key: value if key in declared else _UNDECLARED for key, value in values.items() if key not in generate}
    made = {key: how for key, how in generate.items() if key in values}
    return {"data": data, "generate": made} if made else {"data": data}


def _path(name: str, endpoint: str) -> str:
    mount, _, path = name.removeprefix("kv:").partition("/")
    return f"{mount}/{endpoint}/{path}"
