"""Audit devices: `audit.yaml`. Vault only: OpenBao has them in its own configuration. Nothing in a device can be changed: it is
disabled and enabled again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from gitops_agent.declared import Declaration, declared
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.vault import likeness
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.record import Note
from gitops_agent.targets.vault.resource_type import NOTHING, Notes, Resources, ResourceType


class _Device(Declaration):
    type: str
    description: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    local: bool = False


class AuditDevices(ResourceType):
    label: ClassVar = "audit"
    files: ClassVar[re.Pattern[str]] = re.compile(r"audit(-[^/]+)?\.ya?ml")
    example: ClassVar = "audit.yaml"

    def __init__(self, client: Client) -> None:
        self._client = client

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Device, re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/?")):
            yield Resource(f"audit:{one.name.rstrip('/')}", one.value.model_dump(), origin=one.origin)

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        for path, found in self._client.read("sys/audit").data.items():
            name = f"audit:{path.rstrip('/')}"
            if name in desired or name in owned:
                spec = {field: found.get(field) for field in ("type", "description", "options", "local")}
                wanted = desired.get(name)
                echoed = wanted.spec if wanted is not None and likeness.same(wanted.spec, spec) else spec
                yield Resource(name, echoed, owned=name in owned)

    def put(self, change: Change) -> Note:
        if change.before is not None:
            self.delete(change)
        spec = dict(change.resource.spec)
        spec["options"] = {name: _text(value) for name, value in spec["options"].items()}
        self._client.write(_path(change), spec)
        return NOTHING

    def delete(self, change: Change) -> None:
        self._client.delete(_path(change))


def _path(change: Change) -> str:
    return f"sys/audit/{change.name.removeprefix('audit:')}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
