"""Accounts of the fake Gitea as its administrator sees them, and the tokens that a user has."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.fakes.gitea_state import Reply

if TYPE_CHECKING:
    from tests.fakes.gitea import FakeGitea
    from tests.fakes.gitea_people import People


def listed(people: People) -> Reply:
    if not people.is_admin():
        return people.refused()
    size, page = int(people.query.get("limit") or 30), int(people.query.get("page") or 1)
    names = sorted(people.fake.users)[(page - 1) * size : page * size]
    return Reply(200, [people.shown_user(name) for name in names])


def change(people: People, name: str) -> Reply:
    """A new password, after which the old one is worth nothing; an administrator's right."""
    if not people.is_admin():
        return people.refused()
    if people.form.get("admin"):
        people.fake.admins.add(name)
    if "password" in people.form:
        people.fake.set_password(name, people.form["password"])
    return Reply(200, people.shown_user(name))


def create_organisation_for(people: People, name: str) -> Reply:
    return people.as_user(name).create_organisation() if people.is_admin() else people.refused()


def tokens(people: People, name: str) -> Reply:
    """Only a password opens this, no token."""
    if people.fake.passwords.get(people.user) != people.token or people.user != name:
        return people.fake.problem(401, "auth required")
    listed = [{"id": number, "name": named} for number, named, _ in people.fake.issued.get(name, [])]
    return Reply(200, listed)


def delete_token(people: People, name: str, number: str) -> Reply:
    if people.fake.passwords.get(people.user) != people.token or people.user != name:
        return people.fake.problem(401, "auth required")
    issued = people.fake.issued.get(name, [])
    for one in [one for one in issued if str(one[0]) == number]:
        issued.remove(one)
        del people.fake.tokens[one[2]]
        return Reply(204)
    return people.fake.problem(404, "not found", errors=None)


def command(fake: FakeGitea, words: list[str]) -> str:
    """What `gitea admin user …` prints. Raises ValueError with what it complains of."""
    given = dict(itertools.pairwise(words))
    name = given.get("--username", "")
    match words[0]:
        case "list":
            rows = [
                f"{number:<4} {user} {user}@example.test true {str(user in fake.admins).lower()} false"
                for number, user in enumerate(sorted(fake.users), start=1)
            ]
            return "\n".join(["ID   Username Email IsActive IsAdmin 2FA", *rows])
        case "create":
            if name in fake.users:
                raise ValueError(f"CreateUser: user already exists [name: {name}]")
            fake.add_user(name, made := secrets.token_hex(8), admin="--admin" in words)
            return f"generated random password is '{made}'\nNew user '{name}' has been successfully created!"
        case "generate-access-token":
            if name not in fake.users:
                raise ValueError(f"user does not exist [uid: 0, name: {name}]")
            return fake.issue(name, given["--token-name"], given["--scopes"].split(","))
    raise ValueError(f"No help topic for '{words[0]}'")


ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("GET", r"/admin/users", listed),
    ("PATCH", r"/admin/users/([^/]+)", change),
    ("POST", r"/admin/users/([^/]+)/orgs", create_organisation_for),
    ("GET", r"/users/([^/]+)/tokens", tokens),
    ("DELETE", r"/users/([^/]+)/tokens/([0-9]+)", delete_token),
)
