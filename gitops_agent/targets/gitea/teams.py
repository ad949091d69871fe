"""Teams: `teams.yaml`, with the units they may use, their members and their repositories, each list whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import InvalidRevision
from gitops_agent.gitea import NotFound, Session
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.gitea.resource_type import Note, Notes, Resources, ResourceType, insist, same_names

OWNERS = "owners"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_.-]{1,255}", re.ASCII)
_UNITS = Literal["code", "issues", "ext_issues", "pulls", "wiki", "ext_wiki", "projects", "releases", "packages", "actions"]


class _Team(Declaration):
    description: str = ""
    admin: bool = False
    """Administers its repositories; `units` says nothing then."""
    units: dict[_UNITS, Literal["read", "write"]] = Field(default_factory=dict)
    can_create_org_repo: bool = False
    includes_all_repositories: bool = False
    repositories: list[str] = Field(default_factory=list)
    """Their names within the organisation."""
    members: list[str] = Field(default_factory=list)


class Teams(ResourceType):
    label: ClassVar = "team"
    files: ClassVar[re.Pattern[str]] = re.compile(r"teams(-[^/]+)?\.ya?ml")
    example: ClassVar = "teams.yaml"

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids: dict[str, int] = {}
        self.ours: frozenset[str] = frozenset()
        """Organisations that are owned; their owners are, too, though Gitea made that team."""

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Team, _NAME):
            problem = _problem(one.name, one.value)
            if problem:
                raise InvalidRevision.at(problem, one.origin)
            spec = one.value.model_dump()
            if is_owners(one.name):
                spec = {"members": spec["members"]}
            yield Resource(f"team:{one.name}", spec, origin=one.origin)

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        self._ids = {}
        names = {**desired, **owned}
        for organisation in dict.fromkeys(_parts(name)[0] for name in names):
            try:
                rows = self._session.rows(f"/orgs/{organisation}/teams", organisation)
            except NotFound:
                continue
            live = {team["name"].lower(): team for team in rows}
            for name in names:
                team = live.get(_parts(name)[1].lower()) if _parts(name)[0] == organisation else None
                if team is not None:
                    self._ids[name] = team["id"]
                    ours = name in owned or (is_owners(name) and organisation in self.ours)
                    yield Resource(name, self._look(name, team, desired.get(name)), version=team["id"], owned=ours)

    def put(self, change: Change) -> Note:
        spec, (organisation, team) = change.resource.spec, _parts(change.name)
        if not is_owners(change.name):
            form = _form(team, spec)
            if change.before is None:
                answer = self._session.call("POST", f"/orgs/{organisation}/teams", change.name, json=form)
            else:
                answer = self._session.call("PATCH", f"/teams/{self._ids[change.name]}", change.name, json=form)
            self._ids[change.name] = answer.data["id"]
            insist(change, {**spec, **_plain(answer.data)})
        elif change.name not in self._ids:  # made by Gitea with its organisation, in this very run
            rows = self._session.rows(f"/orgs/{organisation}/teams", organisation)
            self._ids[change.name] = next(row["id"] for row in rows if row["name"].lower() == OWNERS)
        self._align(change, "members", "", spec["members"])
        if not spec.get("includes_all_repositories", True):
            self._align(change, "repos", f"{organisation}/", spec["repositories"])
        return {}

    def delete(self, change: Change) -> None:
        if change.name in self._ids:
            self._session.call("DELETE", f"/teams/{self._ids[change.name]}", change.name, accept=(404,))

    def _look(self, name: str, team: Mapping[str, Any], wanted: Resource | None) -> dict[str, Any]:
        said = wanted.spec if wanted else {}
        members = {"members": same_names(said.get("members", []), self._names(team["id"], "members"))}
        if is_owners(name):
            return members
        spec = _plain(team)
        there = [] if spec["includes_all_repositories"] else self._names(team["id"], "repos")
        return {**spec, "repositories": same_names(said.get("repositories", []), there), **members}

    def _names(self, team: int, what: str) -> list[str]:
        rows = self._session.rows(f"/teams/{team}/{what}", f"the {what} of a team")
        return [str(row["login"] if what == "members" else row["name"]) for row in rows]

    def _align(self, change: Change, what: str, prefix: str, wanted: list[str]) -> None:
        """Adds first: a team is not left without its last owner."""
        path = f"/teams/{self._ids[change.name]}/{what}"
        there = self._names(self._ids[change.name], what)
        for name in wanted:
            if name.lower() not in map(str.lower, there):
                self._session.call("PUT", f"{path}/{prefix}{name}", f"{change.name}: {name}")
        for name in there:
            if name.lower() not in map(str.lower, wanted):
                self._session.call("DELETE", f"{path}/{prefix}{name}", f"{change.name}: {name}", accept=(404,))


def _parts(name: str) -> tuple[str, str]:
    organisation, _, team = name.partition(":")[2].partition("/")
    return organisation, team


def is_owners(name: str) -> bool:
    """The team that Gitea makes with an organisation, and deletes with it."""
    return name.rpartition("/")[2].lower() == OWNERS


def _problem(name: str, team: _Team) -> str:
    if is_owners(name):
        said = team.model_fields_set - {"members"}
        if said:
            return f"{min(said)}: of owners, Gitea lets nobody choose more than the members"
        return "" if team.members else "an organisation has one owner at least"
    if team.admin == bool(team.units):
        return "a team has either units, or admin: true"
    if team.includes_all_repositories and team.repositories:
        return "includes_all_repositories and repositories exclude each other"
    return ""


def _form(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    units = {f"repo.{unit}": access for unit, access in spec["units"].items()}
    plain = ("description", "can_create_org_repo", "includes_all_repositories")
    # Without a permission Gitea ignores `includes_all_repositories`; any that is not `admin` means «as the units say».
    return {"name": name, "permission": "admin" if spec["admin"] else "read", "units_map": units} | {
        field: spec[field] for field in plain
    }


def _plain(team: Mapping[str, Any]) -> dict[str, Any]:
    admin = team["permission"] in ("admin", "owner")
    units = {} if admin else {unit.removeprefix("repo."): access for unit, access in (team.get("units_map") or {}).items()}
    return {
        "description": team.get("description", ""),
        "admin": admin,
        "units": {unit: access for unit, access in sorted(units.items()) if access != "none"},
        "can_create_org_repo": bool(team.get("can_create_org_repo")),
        "includes_all_repositories": bool(team.get("includes_all_repositories")),
    }
