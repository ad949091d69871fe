"""ACL roles: `roles.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from gitops_agent.declared import declared
from gitops_agent.model import Files, Resource
from gitops_agent.targets.consul import links
from gitops_agent.targets.consul.acl import AclType, Object


class _Role(links.Links):
    description: str = ""


class Roles(AclType):
    label: ClassVar = "role"
    files: ClassVar[re.Pattern[str]] = re.compile(r"roles(-[^/]+)?\.ya?ml")
    example: ClassVar = "roles.yaml"
    collection: ClassVar = "roles"
    item: ClassVar = "role"

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Role, re.compile(r"[A-Za-z0-9_-]{1,256}")):
            spec = {"description": one.value.description, **one.value.spec()}
            yield Resource(f"role:{one.name}", spec, origin=one.origin)

    def _spec(self, found: Object, wanted: Resource | None) -> Mapping[str, Any]:  # noqa: ARG002
        return {"description": found.get("Description") or "", **links.live(found)}

    def _body(self, resource: Resource, live: Object | None) -> Object:
        identity = {"ID": live["ID"]} if live else {}
        name = resource.name.removeprefix("role:")
        return {**identity, "Name": name, "Description": resource.spec["description"], **links.body(resource.spec)}
