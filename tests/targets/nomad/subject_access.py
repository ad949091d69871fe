"""Namespaces, ACL policies and roles as the conformance suite sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from gitops_agent.model import Files
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.targets.nomad.server import NomadServer
from tests.targets.proxy import Proxy

_READ = 'namespace "default" {\n  policy = "read"\n}\n'
_WRITE = 'namespace "t-apps" {\n  policy = "write"\n}\n'
_FIRST = {
    "namespaces.yaml": b"t-apps:\n  description: what others bring\n  meta: {owner: shop}\n  disabled_task_drivers: [exec, java]\n",
    "policies/t-read.hcl": _READ.encode(),
    "policies/t-job.hcl": _READ.encode(),
    "policies.yaml": b"t-job:\n  description: for one job\n  job: {id: web, group: main}\n",
    "roles.yaml": b"t-operator:\n  description: on call\n  policies: [t-read, t-job]\n",
}
_SECOND = {
    "namespaces.yaml": _FIRST["namespaces.yaml"] + b"t-more: {}\n",
    "policies/t-read.hcl": _WRITE.encode(),
    "roles.yaml": b"t-operator:\n  description: on call\n  policies: [t-read]\n",
}
_WITHOUT = {**_FIRST, "policies.yaml": b"t-job:\n  description: for one job\n"}
_FOREIGN = "t-theirs"

_APPS = {"description": "what others bring", "meta": {"owner": "shop"}, "disabled": ["exec", "java"]}
_MORE = {"description": "", "meta": {}, "disabled": []}
_JOB = {"rules": _READ.strip(), "description": "for one job", "job": "web"}


class AccessSubject(AdoptableSubject, AilingSubject):
    kind = "nomad"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "a rule that is none": {**_FIRST, "policies/t-read.hcl": b'namespac "default" {\n  policy = "read"\n}\n'},
        "a brace too few": {**_FIRST, "policies/t-read.hcl": b'namespace "default" {\n  policy = "read"\n'},
        "a policy's job without a policy": {**_FIRST, "policies.yaml": b"t-jobb: {}\n"},
        "a role with a policy that is none": {**_FIRST, "roles.yaml": b"t-operator:\n  policies: [t-reed]\n"},
        "a role without policies": {**_FIRST, "roles.yaml": b"t-operator:\n  description: x\n"},
        "an unknown field": {**_FIRST, "namespaces.yaml": b"t-apps:\n  quota: big\n"},
        "Nomad's own namespace": {**_FIRST, "namespaces.yaml": b"default: {}\n"},
    }

    def __init__(self, directory: Path, server: NomadServer, proxy: Proxy, token_file: Path) -> None:
        super().__init__(directory)
        self._server = server
        self._proxy = proxy
        self._token_file = token_file
        server.call("PUT", "namespace", {"Name": _FOREIGN, "Description": "of somebody else"})

    def settings(self) -> dict[str, Any]:
        return {
            "address": self._proxy.url,
            "token_file": str(self._token_file),
            "timeout": 10,
            "secrets": ["file:*"],
            "allow_destroy": True,
        }

    def look(self) -> Mapping[str, Seen]:
        seen = {}
        for one in self._server.named("namespaces"):
            disabled = sorted((one["Capabilities"] or {}).get("DisabledTaskDrivers") or ())
            content = {"description": one["Description"], "meta": one["Meta"] or {}, "disabled": disabled}
            seen[f"namespace {one['Name']}"] = Seen(content, one["ModifyIndex"])
        for stub in self._server.named("acl/policies"):
            one = self._server.call("GET", f"acl/policy/{stub['Name']}")
            job = (one.get("JobACL") or {}).get("JobID", "")
            content = {"rules": one["Rules"].strip(), "description": one["Description"], "job": job}
            seen[f"policy {one['Name']}"] = Seen(content, one["ModifyIndex"])
        for one in self._server.named("acl/roles"):
            content = {"description": one["Description"], "policies": sorted(link["Name"] for link in one["Policies"])}
            seen[f"role {one['Name']}"] = Seen(content, one["ModifyIndex"])
        return seen

    def expected(self, files: Files) -> Mapping[str, Any]:
        if files == _SECOND:
            return {
                "namespace t-apps": _APPS,
                "namespace t-more": _MORE,
                "policy t-read": {"rules": _WRITE.strip(), "description": "", "job": ""},
                "role t-operator": {"description": "on call", "policies": ["t-read"]},
            }
        return {
            "namespace t-apps": _APPS,
            "policy t-read": {"rules": files["policies/t-read.hcl"].decode().strip(), "description": "", "job": ""},
            "policy t-job": {**_JOB, "job": "web" if b"web" in files["policies.yaml"] else ""},
            "role t-operator": {"description": "on call", "policies": ["t-job", "t-read"]},
        }

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({f"namespace {_FOREIGN}"})

    def tamper(self) -> None:
        self._server.call("PUT", "namespace", {"Name": "t-apps", "Description": "changed"})

    def vandalise(self) -> None:
        self._server.call("DELETE", "acl/policy/t-job")

    def plant(self, files: Files) -> None:
        self._server.call(
            "PUT",
            "namespace",
            {
                "Name": "t-apps",
                "Description": _APPS["description"],
                "Meta": _APPS["meta"],
                "Capabilities": {"DisabledTaskDrivers": ["java", "exec"]},
            },
        )
        for name in ("t-read", "t-job"):
            body = {"Name": name, "Rules": files[f"policies/{name}.hcl"].decode()}
            if name == "t-job":
                body |= {"Description": "for one job", "JobACL": {"Namespace": "default", "JobID": "web", "Group": "main"}}
            self._server.call("POST", f"acl/policy/{name}", body)
        links = [{"Name": "t-read"}, {"Name": "t-job"}]
        self._server.call("POST", "acl/role", {"Name": "t-operator", "Description": "on call", "Policies": links})

    @contextmanager
    def ailing(self) -> Iterator[None]:
        """Something else answers in the place of Nomad."""
        proxied = self._proxy.rewrite
        self._proxy.rewrite = lambda _path, _content: b"<html>no Nomad</html>"
        try:
            yield
        finally:
            self._proxy.rewrite = proxied

    def with_secret(self, placeholder: str) -> Files:
        return {**_FIRST, "namespaces.yaml": f"t-apps:\n  meta:\n    key: {placeholder}\n".encode()}

    def writes(self) -> int:
        return len(self._proxy.writes)
