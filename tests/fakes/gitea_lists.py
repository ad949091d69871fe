"""The fake Gitea's lists over all owners: what somebody finds who does not know any names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.fakes.gitea_state import Json, Organisation, Reply

if TYPE_CHECKING:
    from tests.fakes.gitea_people import People


def organisations(people: People) -> Reply:
    """All that the user sees: an administrator sees those of others, and private ones."""
    known = people.fake.organisations.values()
    seen = [one for one in known if people.is_admin() or one.fields["visibility"] != "private" or _is_in(people.user, one)]
    return people.page([_named(one) for one in seen])


def own_organisations(people: People) -> Reply:
    """Those in which the user is in any team."""
    known = people.fake.organisations.values()
    return people.page([_named(one) for one in known if _is_in(people.user, one)])


def permissions(people: People, name: str, organisation: str) -> Reply:
    found = people.fake.organisations.get(organisation)
    if found is None or (found.fields["visibility"] == "private" and not _is_in(name, found)):
        return people.fake.problem(404, "HasOrgOrUserVisible", errors=None)
    rights = ("is_owner", "is_admin", "can_write", "can_create_repository")
    return Reply(200, {**dict.fromkeys(rights, name in found.teams[0].members), "can_read": _is_in(name, found)})


def hooks(people: People, name: str) -> Reply:
    return people.page(people.fake.organisations[name].hooks)


def create_hook(people: People, name: str) -> Reply:
    people.fake.organisations[name].hooks.append({"id": people.fake.number(), **people.form})
    return Reply(201, people.fake.organisations[name].hooks[-1])


def repositories(people: People) -> Reply:
    """Those of others, too, where they are public."""
    known = people.fake.repositories.values()
    found = people.page([people.fake.shown(one) for one in known if not one.private or people.fake.sees(people.token, one)])
    return Reply(200, {"ok": True, "data": found.body}, found.headers)


def _named(organisation: Organisation) -> dict[str, Json]:
    return {"id": organisation.id, "name": organisation.name, "username": organisation.name, **organisation.fields}


def _is_in(user: str, organisation: Organisation) -> bool:
    return any(user in team.members for team in organisation.teams)


ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("GET", r"/orgs", organisations),
    ("GET", r"/user/orgs", own_organisations),
    ("GET", r"/users/([^/]+)/orgs/([^/]+)/permissions", permissions),
    ("GET", r"/orgs/([^/]+)/hooks", hooks),
    ("POST", r"/orgs/([^/]+)/hooks", create_hook),
    ("GET", r"/repos/search", repositories),
)
