"""Organisations: `organisations.yaml`. What is not said is as Gitea makes it: empty, and public."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import ApplyFailed
from gitops_agent.gitea import Session
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.gitea.resource_type import Note, Notes, Resources, ResourceType, insist

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,39}", re.ASCII)


class _Organisation(Declaration):
    full_name: str = ""
    email: str = ""
    description: str = ""
    website: str = ""
    location: str = ""
    visibility: Literal["public", "limited", "private"] = "public"
    repo_admin_change_team_access: bool = False


class Organisations(ResourceType):
    label: ClassVar = "organisation"
    files: ClassVar[re.Pattern[str]] = re.compile(r"organisations(-[^/]+)?\.ya?ml")
    example: ClassVar = "organisations.yaml"

    def __init__(self, session: Session) -> None:
        self._session = session

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Organisation, _NAME):
            yield Resource(f"organisation:{one.name}", one.value.model_dump(), origin=one.origin)

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        for name in {**desired, **owned}:
            answer = self._session.call("GET", _path(name), name, accept=(404,))
            if answer.status == 200:
                yield Resource(name, _spec(answer.data), owned=name in owned)

    def put(self, change: Change) -> Note:
        spec = dict(change.resource.spec)
        if change.before is None:
            form = {**spec, "username": change.name.partition(":")[2]}
            answer = self._session.call("POST", "/orgs", change.name, json=form)
        else:
            answer = self._session.call("PATCH", _path(change.name), change.name, json=spec)
        insist(change, _spec(answer.data))
        return {}

    def delete(self, change: Change) -> None:
        """Gitea answers 500, without a word, while there are repositories that are not ours to delete."""
        answer = self._session.call("DELETE", _path(change.name), change.name, accept=(404, 500))
        if answer.status == 500:
            left = [row["name"] for row in self._session.rows(f"{_path(change.name)}/repos", change.name)]
            raise ApplyFailed(f"gitea does not delete {change.name}: it holds {', '.join(left[:3]) or 'something'}")


def _path(name: str) -> str:
    return f"/orgs/{name.partition(':')[2]}"


def _spec(found: Mapping[str, Any]) -> dict[str, Any]:
    return {field: found.get(field, default.default) for field, default in _Organisation.model_fields.items()}
