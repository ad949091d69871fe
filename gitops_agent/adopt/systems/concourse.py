"""Concourse: the pipelines of every team that the user sees, and what of them is paused and exposed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import yaml

from gitops_agent.adopt.described import Described, Entry, Part
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.source import Source
from gitops_agent.adopt.tables import Table
from gitops_agent.concourse import Session, User
from gitops_agent.errors import Unavailable
from gitops_agent.targets.concourse.pipelines import Pipelines, Row


def describe(source: Source) -> Iterator[Described]:
    """The user is a local one, and the source's file holds its password. Raises Unavailable."""
    user = source.user
    if not user or source.credential is None:
        raise Unavailable("its pipelines can be seen by those who log in only")
    settings = {"address": source.address, "username": user, "password_file": source.credential, "secrets": ["file:*"]}
    with closing(Session(source.address, User(user, source.credential))) as session:
        made = _made_by_pipelines(session.call("GET", "/pipelines", needs="a role in any team").data)
        pipelines = Pipelines(session)
        entries = [
            entry for name, row in pipelines.rows().items() if name not in made for entry in _pipeline(pipelines, row, source)
        ]
    for name in made:
        source.left.add(Why.WRITTEN, name.replace(":", " ", 1), "set by a step of a pipeline")
    yield Described(Table("concourse", "concourse", settings), tuple(entries))


def _pipeline(pipelines: Pipelines, row: Row, source: Source) -> Iterator[Entry]:
    said = row.name.replace(":", " ", 1)
    team, _, name = row.name.partition(":")[2].partition("/")
    found = None if row.archived else pipelines.config(row.name)
    if found is None:
        source.left.add(Why.SYSTEM, said, "is archived")
        return
    text = yaml.safe_dump({**found[0]}, sort_keys=False, allow_unicode=True, width=1 << 20)
    switches = {"paused": row.paused, "exposed": row.exposed}
    yield Entry(
        said,
        (Part(f"{team}/{name}.yml", text, parsed=True), *(Part(f"{team}.yml", [name], key) for key, on in switches.items() if on)),
    )


def _made_by_pipelines(rows: Any) -> list[str]:
    """`set_pipeline` names the job that did it; instances of a pipeline share its name, and their variables tell them apart."""
    made = []
    for row in rows:
        variables = row.get("instance_vars")
        if variables or row.get("parent_job_id"):
            made.append(f"pipeline:{row['team_name']}/{row['name']}{f' {variables}' if variables else ''}")
    return made
