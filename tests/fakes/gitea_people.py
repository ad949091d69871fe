"""The fake Gitea beyond repositories: users, tokens, organisations and teams."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

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

    def __init__(self, fake: FakeGitea, user: str, query: Mapping[str, str], body: bytes) -> None:
        self._fake = fake
        self._user = user
        self._query = query
        self._form: dict[str, Any] = json.loads(body) if body else {}

    def answer(self, method: str, path: str) -> Reply | None:
        for allowed, pattern, answer in _ROUTES:
            found = re.fullmatch(pattern, path)
            if method == allowed and found:
                return answer(self, *found.groups())
        return None

    def me(self) -> Reply:
        return Reply(200, self._shown_user(self._user)) if self._user else self._fake.problem(401, "token is required")

    def create_user(self) -> Reply:
        name = self._form["username"]
        if self._user not in self._fake.admins:
            return self._fake.problem(403, "user should be the site admin")
        if name in self._fake.users:
            return self._fake.problem(422, f"user already exists [name: {name}]")
        self._fake.add_user(name, self._form["password"])
        return Reply(201, self._shown_user(name))

    def create_token(self, name: str) -> Reply:
        number = self._fake.number()
        token = self._fake.add_token(f"{number:040x}", *self._form["scopes"])
        self._fake.owners[token] = name
        return Reply(201, {"id": number, "name": self._form["name"], "sha1": token, "scopes": self._form["scopes"]})

    def create_own(self) -> Reply:
        return self._create_repository(self._user)

    def organisation(self, name: str) -> Reply:
        found = self._fake.organisations.get(name)
        return Reply(200, _shown(found)) if found else self._nobody(name)

    def create_organisation(self) -> Reply:
        name = self._form.pop("username")
        if name in self._fake.organisations or name in self._fake.users:
            return self._fake.problem(422, f"user already exists [name: {name}]")
        fields = {**_ORGANISATION, **{field: value for field, value in self._form.items() if field in _ORGANISATION}}
        owners = Team(self._fake.number(), "Owners", _team({"permission": "owner"}), [self._user])
        self._fake.organisations[name] = found = Organisation(self._fake.number(), name, fields, [owners])
        return Reply(201, _shown(found))

    def edit_organisation(self, name: str) -> Reply:
        found = self._fake.organisations[name]
        found.fields |= {field: value for field, value in self._form.items() if field in _ORGANISATION}
        return Reply(200, _shown(found))

    def delete_organisation(self, name: str) -> Reply:
        """500 while it holds repositories, as Gitea does."""
        if name not in self._fake.organisations:
            return self._nobody(name)
        if any(repository.startswith(f"{name}/") for repository in self._fake.repositories):
            return self._fake.problem(500, "")
        del self._fake.organisations[name]
        return Reply(204)

    def repositories(self, name: str) -> Reply:
        found = [full for full in self._fake.repositories if full.startswith(f"{name}/")]
        return self._page([self._fake.shown(self._fake.repositories[full]) for full in found])

    def create_repository(self, name: str) -> Reply:
        return self._create_repository(name) if name in self._fake.organisations else self._nobody(name)

    def teams(self, name: str) -> Reply:
        if name not in self._fake.organisations:
            return self._nobody(name)
        teams = sorted(self._fake.organisations[name].teams, key=lambda team: team.name.lower())
        return self._page([_shown_team(team) for team in teams])

    def create_team(self, name: str) -> Reply:
        found = self._fake.organisations[name]
        if any(team.name.lower() == self._form["name"].lower() for team in found.teams):
            return self._fake.problem(422, f"team already exists [org_id: {found.id}, name: {self._form['name']}]")
        found.teams.append(Team(self._fake.number(), self._form["name"], _team(self._form)))
        return Reply(201, {**_shown_team(found.teams[-1]), "organization": _shown(found)})

    def edit_team(self, number: str) -> Reply:
        team = self._team(number)[1]
        team.fields = _team({**team.fields, **self._form})
        return Reply(200, _shown_team(team))

    def delete_team(self, number: str) -> Reply:
        organisation, team = self._team(number)
        organisation.teams.remove(team)
        return Reply(204)

    def members(self, number: str) -> Reply:
        return self._page([self._shown_user(name) for name in self._team(number)[1].members])

    def change_member(self, number: str, name: str, *, wanted: bool) -> Reply:
        if name not in self._fake.users:
            return self._fake.problem(404, "GetUserByName", errors=[f"user does not exist [uid: 0, name: {name}]"])
        members = self._team(number)[1].members
        members[:] = [*(one for one in members if one != name), *([name] if wanted else [])]
        return Reply(204)

    def team_repositories(self, number: str) -> Reply:
        found = self._team(number)[1].repositories
        there = [full for full in found if full in self._fake.repositories]
        return self._page([{"name": full.partition("/")[2], "full_name": full} for full in there])

    def change_repository(self, number: str, full: str, *, wanted: bool) -> Reply:
        if full not in self._fake.repositories:
            return self._fake.problem(404, "not found", errors=None)
        found = self._team(number)[1].repositories
        found[:] = [*(one for one in found if one != full), *([full] if wanted else [])]
        return Reply(204)

    def may_own(self, path: str) -> bool:
        """Whether the user may write below `/orgs/<name>` or `/teams/<id>`."""
        kind, _, rest = path.strip("/").partition("/")
        name = rest.partition("/")[0]
        found = self._fake.organisations.get(name) if kind == "orgs" else (self._team(name) or [None])[0]
        return self._user in self._fake.admins or found is None or self._user in found.teams[0].members

    def _create_repository(self, owner: str) -> Reply:
        full = f"{owner}/{self._form['name']}"
        if full in self._fake.repositories:
            return self._fake.problem(409, "The repository with the same name already exists.")
        self._fake.moved.pop(full, None)
        made = Repository(full, self._form.get("private", False), id=self._fake.number())
        made.settings = {field: self._form[field] for field in ("description", "template", "default_branch") if field in self._form}
        if self._form.get("auto_init"):
            made.files["README.md"] = b"# read me\n"
        self._fake.repositories[full] = made
        return Reply(201, self._fake.shown(made))

    def _team(self, number: str) -> Any:
        found = [(one, team) for one in self._fake.organisations.values() for team in one.teams if str(team.id) == number]
        return found[0] if found else None

    def _nobody(self, name: str) -> Reply:
        return self._fake.problem(404, "GetOrgByName", errors=[f"user redirect does not exist [name: {name}]"])

    def _page(self, rows: list[Json]) -> Reply:
        size, page = int(self._query.get("limit") or 30), int(self._query.get("page") or 1)
        return Reply(200, rows[(page - 1) * size : page * size], {"X-Total-Count": str(len(rows))})

    def _shown_user(self, name: str) -> dict[str, Json]:
        return {"id": user_id(name), "login": name, "username": name, "is_admin": name in self._fake.admins}


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
