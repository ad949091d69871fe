"""Settings of repositories: those of the organisations that are taken, and of the token's user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gitops_agent.adopt.described import Entry
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.saying import said
from gitops_agent.adopt.systems.gitea.looker import Looker
from gitops_agent.targets.gitea.record import HOME
from gitops_agent.targets.gitea.repositories import FIXED, OPTIONAL, Repositories

_BRANCH = "main"


def looked_after(looker: Looker, organisations: Sequence[str], left: Left) -> Iterator[Mapping[str, Any]]:
    """As the API lists them; those of others are told."""
    for row in looker.session.rows("/repos/search", "its repositories"):
        owner, _, name = row["full_name"].partition("/")
        if owner == looker.login and name == HOME:
            left.add(Why.WRITTEN, f"repository {row['full_name']}", "the agent's own records")
        elif owner == looker.login or owner in organisations:
            yield row
        else:
            left.add(Why.SYSTEM, f"repository {row['full_name']}", f"is {owner}'s own")


def describe(looker: Looker, row: Mapping[str, Any], left: Left) -> Iterator[Entry]:
    """Features and ways to merge only where they are not as Gitea makes them."""
    name = row["full_name"]
    if row.get("mirror"):
        left.add(Why.SYSTEM, f"repository {name}", "is a mirror, and would be made anew as an ordinary one")
        return
    for found in Repositories(looker.session).observe({}, {f"repository:{name}": {"said": OPTIONAL}}):
        fixed = {field: value for field, value in found.spec.items() if field in FIXED}
        others = {field: value for field, value in found.spec.items() if field not in FIXED}
        branch = row.get("default_branch") or _BRANCH
        value = {**said(fixed, private=True), **({"default_branch": branch} if branch != _BRANCH else {}), **others}
        yield Entry.of(f"repository {name}", "repositories.yaml", value, key=name)
