"""ACL policies: `policies/<name>.hcl`, the rules as Nomad takes them; what else a policy has stands in `policies.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar

from pydantic import Field

from gitops_agent import hcl
from gitops_agent.declared import Declaration, Declared, declared
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Change, Files, Origin, Resource
from gitops_agent.targets.nomad.managed import Managed
from gitops_agent.targets.nomad.words import Object

_NAME = re.compile(r"[a-zA-Z0-9-]{1,128}")
_BLOCKS = frozenset({"namespace", "node_pool", "host_volume", "agent", "node", "operator", "quota", "plugin"})
_NO_JOB: Mapping[str, str] = {"namespace": "", "id": "", "group": "", "task": ""}


class _Workload(Declaration):
    namespace: str = "default"
    id: str
    group: str = ""
    task: str = ""


class _More(Declaration):
    description: str = Field(default="", max_length=256)
    job: _Workload | None = None


class Policies(Managed):
    label: ClassVar = "policy"
    files: ClassVar[re.Pattern[str]] = re.compile(r"policies/[^/]+\.hcl|policies\.ya?ml")
    example: ClassVar = "policies/<name>.hcl, policies.yaml"
    collection: ClassVar = "acl/policies"
    whole_in_list: ClassVar = False

    def parse(self, files: Files) -> Iterator[Resource]:
        tables = {path: content for path, content in files.items() if not path.endswith(".hcl")}
        more: dict[str, Declared[_More]] = {one.name: one for one in declared(tables, _More, _NAME)}
        for path in files.keys() - tables.keys():
            if not _NAME.fullmatch(name := PurePosixPath(path).stem):
                raise InvalidRevision("the name of a policy has letters, digits and - only", file=path)
            text = hcl.text(path, files[path])
            for block in hcl.blocks(path, text):
                if block.kind not in _BLOCKS:
                    raise InvalidRevision(f"{block.kind} is no rule of a policy", file=path, line=block.line)
            said = more.pop(name).value if name in more else _More()
            job = said.job.model_dump() if said.job else _NO_JOB
            yield Resource(
                f"policy:{name}", {"rules": _normal(text), "description": said.description, "job": job}, origin=Origin(path)
            )
        for one in more.values():
            raise InvalidRevision.at(f"there is no policies/{one.name}.hcl", one.origin)

    def _write(self, change: Change) -> None:
        spec = change.resource.spec
        job = spec["job"]
        body = {
            "Name": change.name.removeprefix("policy:"),
            "Description": spec["description"],
            "Rules": f"{spec['rules']}\n",
            "JobACL": {"Namespace": job["namespace"], "JobID": job["id"], "Group": job["group"], "Task": job["task"]}
            if job["id"]
            else None,
        }
        self._client.write("post", self._path(change.name), needs=self._needs("write"), body=body)

    def _path(self, name: str) -> str:
        return f"acl/policy/{name.removeprefix('policy:')}"

    def _spec(self, found: Object, wanted: Resource) -> Mapping[str, Any]:  # noqa: ARG002
        job = found.get("JobACL") or {}
        return {
            "rules": _normal(found.get("Rules") or ""),
            "description": found.get("Description") or "",
            "job": {
                "namespace": job.get("Namespace") or "",
                "id": job.get("JobID") or "",
                "group": job.get("Group") or "",
                "task": job.get("Task") or "",
            },
        }


def _normal(rules: str) -> str:
    """Without what carries no meaning at the ends of lines and of the text."""
    return "\n".join(line.rstrip() for line in rules.replace("\r\n", "\n").split("\n")).strip()
