"""The fake Gitea beyond repositories: users, tokens, organisations and teams."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tests.fakes.gitea_accounts import ROUTES as ACCOUNTS
from tests.fakes.gitea_lists import ROUTES as LISTS
from tests.fakes.gitea_state import Json, Organisation, Reply, Repository, Team, user_id

if TYPE_CHECKING:
    from tests.fakes.gitea import FakeGitea

_ORGANISATION: Mapping[str, Json] = {
    **dict.fromkeys(("full_name", "email", "description", "website", "location"), ""),
    "visibility": "public",
    "repo_admin_change_team_access": False,
}
_UNITS = tuple(
    f"repo.{unit}"
    for unit in ("code", "issues", "ext_issues", "pulls", "wiki", "ext_wiki", "projects", "releases", "packages", "actions")
)


class People:
    """Answers one request of `user`, None for what is not here."""

    def __init__(self, fake: FakeGitea, token: str, query: Mapping[str, str], body: bytes) -> None:
        self.fake = fake
        self.token = token
        self.user = fake.owners.get(token, "")
        self.query = query
        self.form: dict[str, Any] = json.loads(body) if body else {}

    def answer(self, method: str, path: str) -> Reply | None:
        for allowed, pattern, answer in (*_ROUTES, *ACCOUNTS, *LISTS):
            found = re.fullmatch(pattern, path)
            if method == allowed and found:
                return answer(self, *found.groups())
        return None

    def me(self) -> Reply:
        return Reply(200, self.shown_user(self.user)) if self.user else self.fake.problem(401, "token is required")

    def create_user(self) -> Reply:
        name = self.form["username"]
        if not self.is_admin():
            return self.refused()
        if name in self.fake.users:
            return self.fake.problem(422, f"user already exists [name: {name}]")
        self.fake.add_user(name, self.form["password"])
        return Reply(201, self.shown_user(name))

    def create_token(self, name: str) -> Reply:
        token = self.fake.issue(name, self.form["name"], self.form["scopes"])
        return Reply(201, {"id": int(token, 16), "name": self.form["name"], "sha1": token, "scopes": self.form["scopes"]})

    def create_own(self) -> Reply:
        return self._create_repository(self.user)

    def organisation(self, name: str) -> Reply:
        found = self.fake.organisations.get(name)
        return Reply(200, _shown(found)) if found else self._nobody(name)

    def create_organisation(self) -> Reply:
        name = self.form.pop("username")
        if name in self.fake.organisations or name in self.fake.users:
            return self.fake.problem(422, f"user already exists [name: {name}]")
        fields = {**_ORGANISATION, **{field: value for field, value in self.form.items() if field in _ORGANISATION}}
        owners = Team(self.fake.number(), "Owners", _team({"permission": "owner"}), [self.user])
        self.fake.organisations[name] = found = Organisation(self.fake.number(), name, fields, [owners])
        return Reply(201, _shown(found))

    def edit_organisation(self, name: str) -> Reply:
        found = self.fake.organisations[name]
        found.fields |= {field: value for field, value in self.form.items() if field in _ORGANISATION}
        return Reply(200, _shown(found))

    def delete_organisation(self, name: str) -> Reply:
        """500 while it holds repositories, as Gitea does."""
        if name not in self.fake.organisations:
            return self._nobody(name)
        if any(repository.startswith(f"{name}/") for repository in self.fake.repositories):
            return self.fake.problem(500, "")
        del self.fake.organisations[name]
        return Reply(204)

    def repositories(self, name: str) -> Reply:
        found = [full for full in self.fake.repositories if full.startswith(f"{name}/")]
        return self.page([self.fake.shown(self.fake.repositories[full]) for full in found])

    def create_repository(self, name: str) -> Reply:
        return self._create_repository(name) if name in self.fake.organisations else self._nobody(name)

    def teams(self, name: str) -> Reply:
        if name not in self.fake.organisations:
            return self._nobody(name)
        teams = sorted(self.fake.organisations[name].teams, key=lambda team: team.name.lower())
        return self.page([_shown_team(team) for team in teams])

    def create_team(self, name: str) -> Reply:
        found = self.fake.organisations[name]
        if any(team.name.lower() == self.form["name"].lower() for team in found.teams):
            return self.fake.problem(422, f"team already exists [org_id: {found.id}, name: {self.form['name']}]")
        found.teams.append(Team(self.fake.number(), self.form["name"], _team(self.form)))
        return Reply(201, {**_shown_team(found.teams[-1]), "organization": _shown(found)})

    def edit_team(self, number: str) -> Reply:
        team = self._team(number)[1]
        team.fields = _team({**team.fields, **self.form})
        return Reply(200, _shown_team(team))

    def delete_team(self, number: str) -> Reply:
        organisation, team = self._team(number)
        organisation.teams.remove(team)
        return Reply(204)

    def members(self, number: str) -> Reply:
        return self.page([self.shown_user(name) for name in self._team(number)[1].members])

    def change_member(self, number: str, name: str, *, wanted: bool) -> Reply:
        if name not in self.fake.users:
            return self.fake.problem(404, "GetUserByName", errors=[f"user does not exist [uid: 0, name: {name}]"])
        members = self._team(number)[1].members
        members[:] = [*(one for one in members if one != name), *([name] if wanted else [])]
        return Reply(204)

    def team_repositories(self, number: str) -> Reply:
        found = self._team(number)[1].repositories
        there = [full for full in found if full in self.fake.repositories]
        return self.page([{"name": full.partition("/")[2], "full_name": full} for full in there])

    def change_repository(self, number: str, full: str, *, wanted: bool) -> Reply:
        if full not in self.fake.repositories:
            return self.fake.problem(404, "not found", errors=None)
        found = self._team(number)[1].repositories
        found[:] = [*(one for one in found if one != full), *([full] if wanted else [])]
        return Reply(204)

    def is_admin(self) -> bool:
        return self.user in self.fake.admins

    def refused(self) -> Reply:
        return self.fake.problem(403, "user should be the site admin")

    def as_user(self, name: str) -> People:
        """The same request, made by somebody else."""
        other = copy.copy(self)
        other.user = name
        return other

    def may_own(self, path: str) -> bool:
        """Whether the user may write below `/orgs/<name>` or `/teams/<id>`."""
        kind, _, rest = path.strip("/").partition("/")
        name = rest.partition("/")[0]
        found = self.fake.organisations.get(name) if kind == "orgs" else (self._team(name) or [None])[0]
        return self.user in self.fake.admins or found is None or self.user in found.teams[0].members

    def _create_repository(self, owner: str) -> Reply:
        full = f"{owner}/{self.form['name']}"
        if full in self.fake.repositories:
            return self.fake.problem(409, "The repository with the same name already exists.")
        self.fake.moved.pop(full, None)
        made = Repository(full, self.form.get("private", False), id=self.fake.number())
        made.settings = {field: self.form[field] for field in ("description", "template", "default_branch") if field in self.form}
        if self.form.get("auto_init"):
            made.files["README.md"] = b"# read me\n"
        self.fake.repositories[full] = made
        return Reply(201, self.fake.shown(made))

    def _team(self, number: str) -> Any:
        found = [(one, team) for one in self.fake.organisations.values() for team in one.teams if str(team.id) == number]
        return found[0] if found else None

    def _nobody(self, name: str) -> Reply:
        return self.fake.problem(404, "GetOrgByName", errors=[f"user redirect does not exist [name: {name}]"])

    def page(self, rows: list[Json]) -> Reply:
        size, page = int(self.query.get("limit") or 30), int(self.query.get("page") or 1)
        return Reply(200, rows[(page - 1) * size : page * size], {"X-Total-Count": str(len(rows))})

    def shown_user(self, name: str) -> dict[str, Json]:
        return {"id": user_id(name), "login": name, "username": name, "is_admin": name in self.fake.admins}


def _shown(organisation: Organisation) -> dict[str, Json]:
    return {"id": organisation.id, "name": organisation.name, "username": organisation.name, **organisation.fields}


def _team(form: Mapping[str, Json]) -> dict[str, Json]:
    """A permission that is neither admin nor owner is none: the units say it then, and an administrator has them all."""
    permission = form.get("permission")
    all_units = permission if permission in ("admin", "owner") else None
    return {
        "description": form.get("description", ""),
        "permission": all_units or "none",
        "units_map": dict.fromkeys(_UNITS, all_units) if all_units else form.get("units_map", {}),
        "includes_all_repositories": form.get("includes_all_repositories", False) or permission == "owner",
        "can_create_org_repo": form.get("can_create_org_repo", False) or permission == "owner",
    }


def _shown_team(team: Team) -> dict[str, Json]:
    return {"id": team.id, "name": team.name, **team.fields}


_ORG, _TEAM = r"/orgs/([^/]+)", r"/teams/([0-9]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("GET", r"/user", People.me),
    ("POST", r"/user/repos", People.create_own),
    ("POST", r"/admin/users", People.create_user),
    ("POST", r"/users/([^/]+)/tokens", People.create_token),
    ("POST", r"/orgs", People.create_organisation),
    ("GET", _ORG, People.organisation),
    ("PATCH", _ORG, People.edit_organisation),
    ("DELETE", _ORG, People.delete_organisation),
    ("GET", rf"{_ORG}/repos", People.repositories),
    ("POST", rf"{_ORG}/repos", People.create_repository),
    ("GET", rf"{_ORG}/teams", People.teams),
    ("POST", rf"{_ORG}/teams", People.create_team),
    ("PATCH", _TEAM, People.edit_team),
    ("DELETE", _TEAM, People.delete_team),
    ("GET", rf"{_TEAM}/members", People.members),
    ("PUT", rf"{_TEAM}/members/([^/]+)", lambda self, *parts: self.change_member(*parts, wanted=True)),
    ("DELETE", rf"{_TEAM}/members/([^/]+)", lambda self, *parts: self.change_member(*parts, wanted=False)),
    ("GET", rf"{_TEAM}/repos", People.team_repositories),
    ("PUT", rf"{_TEAM}/repos/(.+)", lambda self, *parts: self.change_repository(*parts, wanted=True)),
    ("DELETE", rf"{_TEAM}/repos/(.+)", lambda self, *parts: self.change_repository(*parts, wanted=False)),
)
