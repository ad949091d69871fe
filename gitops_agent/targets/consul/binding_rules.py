"""ACL binding rules: `binding-rules.yaml`. A rule has no name in Consul but its description."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from gitops_agent.declared import Declaration, declared
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.consul.acl import NEEDS, AclType, Object


class _BindingRule(Declaration):
    auth_method: str
    bind_type: Literal["service", "role", "node", "policy", "templated-policy"]
    bind_name: str
    selector: str = ""
    bind_vars: dict[str, str] = Field(default_factory=dict)


class BindingRules(AclType):
    label: ClassVar = "binding-rule"
    files: ClassVar[re.Pattern[str]] = re.compile(r"binding-rules(-[^/]+)?\.ya?ml")
    example: ClassVar = "binding-rules.yaml"
    collection: ClassVar = "binding-rules"
    item: ClassVar = "binding-rule"

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _BindingRule, re.compile(r"[A-Za-z0-9_.-]{1,128}")):
            yield Resource(f"binding-rule:{one.name}", one.value.model_dump(), origin=one.origin)

    def put(self, change: Change) -> None:
        """The auth method of a rule cannot be changed: then it is another rule."""
        live = self._live.get(change.name)
        if live and live["AuthMethod"] != change.resource.spec["auth_method"]:
            self._client.write("delete", self._path(live), needs=NEEDS, accept=(404,))
            del self._live[change.name]
        super().put(change)

    def _name(self, found: Object, wanted: Mapping[str, Resource], owned: Collection[str]) -> str:  # noqa: ARG002
        name = f"binding-rule:{found.get('Description')}"
        return name if found.get("Description") and name not in self._live else f"binding-rule:{found['ID']}"

    def _spec(self, found: Object, wanted: Resource | None) -> Mapping[str, Any]:  # noqa: ARG002
        return {
            "auth_method": found["AuthMethod"],
            "bind_type": found["BindType"],
            "bind_name": found.get("BindName") or "",
            "selector": found.get("Selector") or "",
            "bind_vars": {name.lower(): value for name, value in (found.get("BindVars") or {}).items() if value},
        }

    def _body(self, resource: Resource, live: Object | None) -> Object:
        spec = resource.spec
        return {
            **({"ID": live["ID"]} if live else {}),
            "Description": resource.name.removeprefix("binding-rule:"),
            "AuthMethod": spec["auth_method"],
            "BindType": spec["bind_type"],
            "BindName": spec["bind_name"],
            "Selector": spec["selector"],
            **({"BindVars": {name.title(): value for name, value in spec["bind_vars"].items()}} if spec["bind_vars"] else {}),
        }
