"""Repositories: `repositories.yaml`, their settings and never what is in them.

Features and ways to merge that nobody declares are left as Gitea made them: its administrator chooses what new repositories get,
and may have switched features off for all. One that was declared and is no more goes back to Gitea's own default.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import InvalidRevision
from gitops_agent.gitea import NotFound, Session
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.gitea.resource_type import (
    Note,
    Notes,
    Resources,
    ResourceType,
    insist,
    same_names,
)

NAME = r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]{1,100}"
_SEVERAL = 4
"""Repositories of one organisation that are asked for one by one no longer."""
_MOVED = (301, 302, 307, 308)
FIXED = ("description", "website", "private", "template", "archived", "topics")
_MERGES = "allow_"


class _Repository(Declaration):
    description: str = ""
    website: str = ""
    private: bool = True
    template: bool = False
    archived: bool = False
    topics: list[str] = Field(default_factory=list)
    default_branch: str | None = None
    has_issues: bool | None = None
    has_wiki: bool | None = None
    has_pull_requests: bool | None = None
    has_projects: bool | None = None
    has_releases: bool | None = None
    has_packages: bool | None = None
    has_actions: bool | None = None
    allow_merge_commits: bool | None = None
    allow_rebase: bool | None = None
    allow_rebase_explicit: bool | None = None
    allow_squash_merge: bool | None = None
    allow_fast_forward_only_merge: bool | None = None
    allow_rebase_update: bool | None = None
    default_merge_style: Literal["merge", "rebase", "rebase-merge", "squash", "fast-forward-only"] | None = None
    default_delete_branch_after_merge: bool | None = None

    @model_validator(mode="after")
    def _merging_takes_pull_requests(self) -> _Repository:
        said = [field for field in self.model_fields_set if field.startswith(("allow_", "default_merge", "default_delete"))]
        if self.has_pull_requests is False and said:
            raise ValueError(f"{min(said)} says nothing where has_pull_requests is false")
        return self

    @model_validator(mode="after")
    def _topics(self) -> _Repository:
        for topic in self.topics:
            if not re.fullmatch(r"[a-z0-9][-.a-z0-9]{0,34}", topic):
                raise ValueError(f"topic {topic!r} must be lower-case letters, digits, - and ., 35 at most")
        return self


OPTIONAL = tuple(field for field in _Repository.model_fields if field not in FIXED)
"""What nobody needs to declare."""
_UNSAID: Mapping[str, Any] = {"default_branch": "main", "default_merge_style": "merge", "default_delete_branch_after_merge": False}
"""Gitea's own defaults, where they are not true."""


class Repositories(ResourceType):
    label: ClassVar = "repository"
    files: ClassVar[re.Pattern[str]] = re.compile(r"repositories(-[^/]+)?\.ya?ml")
    example: ClassVar = "repositories.yaml"

    def __init__(self, session: Session) -> None:
        self._session = session
        self.login = ""
        """The agent's own user, who may have repositories too."""

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Repository, re.compile(NAME)):
            yield Resource(f"repository:{one.name}", one.value.model_dump(exclude_none=True), origin=one.origin)

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        names = {**desired, **owned}
        listed = self._listed([*names])
        for name in names:
            found = listed.get(name.lower()) or self._single(name, desired.get(name))
            if found:
                spec = _spec(found, desired.get(name), owned.get(name, {}).get("said", ()))
                yield Resource(name, spec, version=found.get("updated_at", ""), owned=name in owned)

    def _listed(self, names: list[str]) -> Mapping[str, Mapping[str, Any]]:
        """By name in lower case, those of organisations of which several are asked for. What is not in it may be there still."""
        owners = Counter(name.partition(":")[2].partition("/")[0] for name in names)
        found: dict[str, Mapping[str, Any]] = {}
        for owner in (owner for owner, several in owners.items() if several >= _SEVERAL and owner != self.login):
            with suppress(NotFound):  # not an organisation, or not there yet
                rows = self._session.rows(f"/orgs/{owner}/repos", owner)
                found |= {f"repository:{row['full_name']}".lower(): row for row in rows}
        return found

    def _single(self, name: str, wanted: Resource | None) -> Mapping[str, Any]:
        answer = self._session.call("GET", _path(name), name, accept=(404, *_MOVED))
        if answer.status in _MOVED and wanted is not None:
            raise InvalidRevision.at(f"{name} was renamed or given away in Gitea: call it what it is called there", wanted.origin)
        return answer.data if answer.status == 200 else {}

    def put(self, change: Change) -> Note:
        spec = dict(change.resource.spec)
        owner, _, repository = change.name.partition(":")[2].partition("/")
        gone = {field: _UNSAID.get(field, True) for field in (change.before.spec if change.before else {}) if field not in spec}
        if change.before is None:
            where = "/user/repos" if owner == self.login else f"/orgs/{owner}/repos"
            first = {field: spec[field] for field in ("private", "description", "template", "default_branch") if field in spec}
            self._session.call("POST", where, change.name, json={"name": repository, **first})
        if change.before is None or change.before.spec["topics"] != spec["topics"]:
            self._session.call("PUT", f"{_path(change.name)}/topics", change.name, json={"topics": spec["topics"]})
        settings = {field: value for field, value in {**gone, **spec}.items() if field != "topics"}
        answer = self._session.call("PATCH", _path(change.name), change.name, json=settings)
        insist(change, _spec({**answer.data, "topics": spec["topics"]}, change.resource, ()))
        return self.adopt(change)

    def adopt(self, change: Change) -> Note:
        return {"said": sorted(field for field in change.resource.spec if field not in FIXED)}

    def delete(self, change: Change) -> None:
        self._session.call("DELETE", _path(change.name), change.name, accept=(404,))


def _path(name: str) -> str:
    return f"/repos/{name.partition(':')[2]}"


def _spec(found: Mapping[str, Any], wanted: Resource | None, said: Iterator[str] | tuple[str, ...] | list[str]) -> dict[str, Any]:
    """The fixed fields; those that the repository says; and those it said before, unless they are back at the default."""
    fields = {**dict.fromkeys(FIXED), **dict.fromkeys(wanted.spec if wanted else ())}
    spec = {field: found.get(field) for field in fields}
    spec["topics"] = same_names(wanted.spec["topics"] if wanted else [], list(found.get("topics") or ()))
    before = {field: found.get(field) for field in said if field not in fields and field in found}
    # A branch that exists is nobody's default to take back, and merging is said of pull requests only.
    return spec | {
        field: value for field, value in before.items() if field != "default_branch" and not _settled(field, value, found)
    }


def _settled(field: str, value: Any, found: Mapping[str, Any]) -> bool:
    merging = field.startswith(_MERGES) and not found.get("has_pull_requests")
    return merging or bool(value == _UNSAID.get(field, True))
