"""ACL policies: `policies/<name>.hcl` (or `.json`), the rules as Consul takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Origin, Resource
from gitops_agent.targets.consul import rules
from gitops_agent.targets.consul.acl import AclType, Object

_BUILT_IN = "global-management"


class Policies(AclType):
    label: ClassVar = "policy"
    files: ClassVar[re.Pattern[str]] = re.compile(r"policies/[^/]+\.(hcl|json)")
    example: ClassVar = "policies/<name>.hcl"
    collection: ClassVar = "policies"
    item: ClassVar = "policy"
    whole_in_list: ClassVar = False

    def parse(self, files: Files) -> Iterator[Resource]:
        for path, content in files.items():
            name = PurePosixPath(path).stem
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name):
                raise InvalidRevision("the name of a policy has letters, digits, - and _ only", file=path)
            if name == _BUILT_IN:
                raise InvalidRevision(f"{_BUILT_IN} is Consul's own policy", file=path)
            text = _text(path, content)
            if path.endswith(".json"):
                _check_json(path, text)
            else:
                rules.check(path, text)
            yield Resource(f"policy:{name}", {"rules": rules.normal(text)}, origin=Origin(path))

    def _spec(self, found: Object, wanted: Resource | None) -> Mapping[str, Any]:  # noqa: ARG002
        spec = {"rules": rules.normal(found.get("Rules") or "")}
        return {**spec, "datacenters": sorted(found["Datacenters"])} if found.get("Datacenters") else spec

    def _body(self, resource: Resource, live: Object | None) -> Object:
        description = (live or {}).get("Description") or "kept by gitops-agent"
        identity = {"ID": live["ID"]} if live else {}
        name = resource.name.removeprefix("policy:")
        return {**identity, "Name": name, "Description": description, "Rules": f"{resource.spec['rules']}\n"}


def _check_json(path: str, text: str) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidRevision(f"is no JSON: {error.msg.lower()}", file=path, line=error.lineno) from None


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InvalidRevision(f"is not UTF-8 at byte {error.start}", file=path) from None
