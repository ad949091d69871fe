"""ACL roles: `roles.yaml`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Change, Files, Resource, State
from gitops_agent.targets.nomad.managed import Managed
from gitops_agent.targets.nomad.words import Object


class _Role(Declaration):
    description: str = Field(default="", max_length=256)
    policies: list[str] = Field(min_length=1)


class Roles(Managed):
    label: ClassVar = "role"
    files: ClassVar[re.Pattern[str]] = re.compile(r"roles(-[^/]+)?\.ya?ml")
    example: ClassVar = "roles.yaml"
    collection: ClassVar = "acl/roles"

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Role, re.compile(r"[a-zA-Z0-9-]{1,128}")):
            spec = {"description": one.value.description, "policies": sorted(set(one.value.policies))}
            yield Resource(f"role:{one.name}", spec, origin=one.origin)

    def _write(self, change: Change) -> None:
        live = self._rows.get(change.name)
        body = {
            **({"ID": live["ID"]} if live else {}),
            "Name": change.name.removeprefix("role:"),
            "Description": change.resource.spec["description"],
            "Policies": [{"Name": name} for name in change.resource.spec["policies"]],
        }
        path = f"acl/role/{live['ID']}" if live else "acl/role"
        self._client.write("post", path, needs=self._needs("write"), body=body)

    def _place(self, name: str) -> str:
        return f"acl/role/{self._rows[name]['ID']}"

    def _path(self, name: str) -> str:
        return f"acl/role/name/{name.removeprefix('role:')}"

    def _spec(self, found: Object, wanted: Resource) -> Mapping[str, Any]:  # noqa: ARG002
        return live(found)


def live(found: Object) -> dict[str, Any]:
    """What an object of the API says, as it is declared."""
    return {
        "description": found.get("Description") or "",
        "policies": sorted(link["Name"] for link in found.get("Policies") or ()),
    }


def refuse_dead_links(desired: State, foreign: Collection[str]) -> None:
    """Raises InvalidRevision for a role with a policy that there will not be. `foreign` are those of others."""
    for role in desired:
        for name in role.spec["policies"] if role.name.startswith("role:") else ():
            if f"policy:{name}" not in desired and f"policy:{name}" not in foreign:
                raise InvalidRevision.at(f"{role.name}: there is no policy {name}", role.origin)
