"""Deploy keys: `deploy-keys.yaml`. Gitea changes none: another key, or other access, is deleted and made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from gitops_agent.declared import Declaration, declared
from gitops_agent.gitea import Session
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.gitea.in_repository import NAMES, Lists
from gitops_agent.targets.gitea.resource_type import Note, Notes, Resources, ResourceType, below


def _public_key(text: str) -> str:
    """Without its comment, which Gitea may keep or not."""
    words = text.split()
    if len(words) < 2 or "PRIVATE" in text or not words[1].startswith("AAAA"):
        raise ValueError("must be a public key in one line: ssh-ed25519 AAAA…")
    return " ".join(words[:2])


class _DeployKey(Declaration):
    key: Annotated[str, AfterValidator(_public_key)]
    read_only: bool = True


class DeployKeys(ResourceType):
    label: ClassVar = "key"
    files: ClassVar[re.Pattern[str]] = re.compile(r"deploy-keys(-[^/]+)?\.ya?ml")
    example: ClassVar = "deploy-keys.yaml"

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids: dict[str, int] = {}

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _DeployKey, NAMES):
            yield Resource(f"key:{one.name}", one.value.model_dump(), origin=one.origin)

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        lists = Lists(self._session, "keys")
        self._ids = {}
        for name in {**desired, **owned}:
            _, title = below(name)
            found = next((row for row in lists.of(name) if row["title"] == title), None)
            if found is not None:
                self._ids[name] = found["id"]
                spec = {"key": " ".join(found["key"].split()[:2]), "read_only": found["read_only"]}
                yield Resource(name, spec, version=found["id"], owned=name in owned)

    def put(self, change: Change) -> Note:
        self.delete(change)
        repository, title = below(change.name)
        body = {"title": title, **change.resource.spec}
        answer = self._session.call("POST", f"{repository}/keys", change.name, json=body)
        self._ids[change.name] = answer.data["id"]
        return {}

    def delete(self, change: Change) -> None:
        repository, _ = below(change.name)
        there = self._ids.pop(change.name, None)
        if there is not None:
            self._session.call("DELETE", f"{repository}/keys/{there}", change.name, accept=(404,))
