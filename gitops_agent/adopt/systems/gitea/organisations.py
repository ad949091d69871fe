"""Organisations and their teams: of an administrator all, of anybody else those that he owns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gitops_agent.adopt.described import Entry
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.saying import said
from gitops_agent.adopt.systems.gitea.looker import Looker
from gitops_agent.gitea import Session
from gitops_agent.targets.gitea.organisations import Organisations
from gitops_agent.targets.gitea.teams import Teams


def looked_after(looker: Looker, left: Left) -> list[str]:
    """Names of organisations; those that only their owners see whole are told."""
    listed = looker.session.rows("/orgs" if looker.is_admin else "/user/orgs", "its organisations")
    taken = []
    for name in (str(row["name"]) for row in listed):
        if looker.is_admin or _owns(looker, name):
            taken.append(name)
        else:
            left.add(Why.ATTENTION, f"organisation {name}", f"{looker.login}, whose token it is, is none of its owners")
    return taken


def describe(looker: Looker, names: Sequence[str], left: Left) -> Iterator[Entry]:
    for found in Organisations(looker.session).observe({}, {f"organisation:{name}": {} for name in names}):
        name = found.name.partition(":")[2]
        yield Entry.of(f"organisation {name}", "organisations.yaml", said(found.spec, visibility="public"), key=name)
        yield from _teams(looker.session, name)
        if looker.session.rows(f"/orgs/{name}/hooks", f"the hooks of {name}"):
            left.add(Why.SYSTEM, f"webhooks of organisation {name}", "only those of repositories can be declared")


def _teams(session: Session, organisation: str) -> Iterator[Entry]:
    rows = session.rows(f"/orgs/{organisation}/teams", f"the teams of {organisation}")
    for found in Teams(session).observe({}, {f"team:{organisation}/{row['name']}": {} for row in rows}):
        name = found.name.partition(":")[2]
        yield Entry.of(f"team {name}", "teams.yaml", said(found.spec), key=name)


def _owns(looker: Looker, name: str) -> bool:
    path = f"/users/{looker.login}/orgs/{name}/permissions"
    return bool(looker.session.call("GET", path, f"what {looker.login} may in {name}").data["is_owner"])
