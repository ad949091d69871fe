"""Policies: `policies/<name>.hcl`, the text as Vault takes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Change, Files, Origin, Resource
from gitops_agent.targets.vault import policy_text
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.record import Note
from gitops_agent.targets.vault.resource_type import NOTHING, Notes, Resources, ResourceType

_BUILT_IN = ("default", "root", "control-group", "response-wrapping")


class Policies(ResourceType):
    label: ClassVar = "policy"
    files: ClassVar[re.Pattern[str]] = re.compile(r"policies/[^/]+\.hcl")
    example: ClassVar = "policies/<name>.hcl"

    def __init__(self, client: Client) -> None:
        self._client = client
        self._detailed = True

    def parse(self, files: Files) -> Iterator[Resource]:
        for path, content in files.items():
            name = PurePosixPath(path).stem
            if name != name.lower():
                raise InvalidRevision(f"Vault would call it {name.lower()!r}: policies have lower-case names", file=path)
            if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,127}", name):
                raise InvalidRevision("the name of a policy has letters, digits, -, _ and . only", file=path)
            if name in _BUILT_IN:
                raise InvalidRevision(f"{name} is Vault's own policy", file=path)
            try:
                text = content.decode()
            except UnicodeDecodeError as error:
                raise InvalidRevision(f"is not UTF-8 at byte {error.start}", file=path) from None
            policy_text.check(path, text)
            yield Resource(f"policy:{name}", {"policy": text}, origin=Origin(path))

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        for name, found in self._look({*desired, *owned}):
            wanted = desired.get(name)
            text = str(found.get("policy") or "")
            same = wanted is not None and policy_text.normal(wanted.spec["policy"]) == policy_text.normal(text)
            version = found.get("version", "")  # OpenBao's, for compare-and-set
            yield Resource(name, wanted.spec if wanted and same else {"policy": text}, version=version, owned=name in owned)

    def put(self, change: Change) -> Note:
        version = change.before.version if change.before else ""
        cas = {"cas": version} if version else {}
        self._client.write(_path(change.name), {"policy": change.resource.spec["policy"], **cas})
        return NOTHING

    def delete(self, change: Change) -> None:
        self._client.delete(_path(change.name))

    def _look(self, names: set[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """OpenBao tells all policies in one answer; Vault only their names."""
        if self._detailed:
            answer = self._client.list("sys/policies/detailed/acl")
            self._detailed = answer.found and "key_info" in answer.data
            if self._detailed:
                told = answer.data["key_info"]
                yield from ((f"policy:{name}", found) for name, found in told.items() if f"policy:{name}" in names)
                return
        listed = {f"policy:{name}" for name in self._client.list("sys/policies/acl").data.get("keys") or ()}
        for name in sorted(names & listed):
            answer = self._client.read(_path(name))
            if answer.found:  # otherwise it was deleted since the list was made
                yield name, answer.data


def _path(name: str) -> str:
    return f"sys/policies/acl/{name.removeprefix('policy:')}"
