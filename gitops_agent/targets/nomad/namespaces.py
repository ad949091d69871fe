"""Namespaces: `namespaces.yaml`. They hold jobs and variables, so they go only with consent, and Nomad deletes empty ones only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.nomad.managed import Managed
from gitops_agent.targets.nomad.words import Object

_NAME = re.compile(r"[a-zA-Z0-9-]{1,128}")
_CAPABILITIES = {
    "enabled_task_drivers": "EnabledTaskDrivers",
    "disabled_task_drivers": "DisabledTaskDrivers",
    "enabled_network_modes": "EnabledNetworkModes",
    "disabled_network_modes": "DisabledNetworkModes",
}


class _Namespace(Declaration):
    description: str = ""
    meta: dict[str, str] = Field(default_factory=dict)
    enabled_task_drivers: list[str] = Field(default_factory=list)
    disabled_task_drivers: list[str] = Field(default_factory=list)
    enabled_network_modes: list[str] = Field(default_factory=list)
    disabled_network_modes: list[str] = Field(default_factory=list)


class Namespaces(Managed):
    label: ClassVar = "namespace"
    files: ClassVar[re.Pattern[str]] = re.compile(r"namespaces(-[^/]+)?\.ya?ml")
    example: ClassVar = "namespaces.yaml"
    collection: ClassVar = "namespaces"

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Namespace, _NAME):
            if one.name == "default":
                raise InvalidRevision.at("default is Nomad's own namespace", one.origin)
            spec = {name: sorted(value) if isinstance(value, list) else value for name, value in one.value.model_dump().items()}
            yield Resource(f"namespace:{one.name}", spec, origin=one.origin)

    def _write(self, change: Change) -> None:
        spec, live = change.resource.spec, self._rows.get(change.name) or {}
        capabilities = {theirs: spec[ours] for ours, theirs in _CAPABILITIES.items() if spec[ours]}
        body = {
            **live,  # what only Enterprise has: quotas, node pools
            "Name": change.name.removeprefix("namespace:"),
            "Description": spec["description"],
            "Meta": spec["meta"],
            "Capabilities": capabilities or None,
        }
        self._client.write("put", "namespace", needs=self._needs("write"), body=body)

    def _path(self, name: str) -> str:
        return f"namespace/{name.removeprefix('namespace:')}"

    def _spec(self, found: Object, wanted: Resource) -> Mapping[str, Any]:  # noqa: ARG002
        return live(found)


def live(found: Object) -> dict[str, Any]:
    """What an object of the API says, as it is declared."""
    capabilities = found.get("Capabilities") or {}
    return {
        "description": found.get("Description") or "",
        "meta": found.get("Meta") or {},
        **{ours: sorted(capabilities.get(theirs) or ()) for ours, theirs in _CAPABILITIES.items()},
    }
