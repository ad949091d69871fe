"""Gitea: organisations with their teams and repositories, the repositories of the token's user, and what lies in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from gitops_agent.adopt.described import Described, Entry
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.gitea import in_repository, organisations, repositories, webhooks
from gitops_agent.adopt.systems.gitea.looker import Looker
from gitops_agent.adopt.systems.source import Source
from gitops_agent.adopt.tables import Table
from gitops_agent.errors import Unavailable
from gitops_agent.gitea import Session

_WHY = 'Once this repository is in that Gitea, say so: source = "OWNER/NAME" keeps plans from cutting the agent off from it.'


def describe(source: Source) -> Iterator[Described]:
    """Raises Unavailable, ApplyFailed."""
    if source.credential is None:
        raise Unavailable("what it holds can be seen by those with a token only")
    with closing(Session(source.address, source.credential)) as session:
        entries = [*_entries(source, session)]
    source.left.add(Why.SYSTEM, "gitea's users", "people are not declared, nor is what they have of their own")
    yield Described(Table("gitea", "gitea", {**source.settings, "secrets": ["file:*"]}, _WHY), tuple(entries))


def _entries(source: Source, session: Session) -> Iterator[Entry]:
    looker = Looker.of(session)
    owned = organisations.looked_after(looker, source.left)
    yield from organisations.describe(looker, owned, source.left)
    for row in repositories.looked_after(looker, owned, source.left):
        yield from repositories.describe(looker, row, source.left)
        yield from in_repository.describe(session, row["full_name"])
        yield from webhooks.describe(session, row["full_name"], source.left)
