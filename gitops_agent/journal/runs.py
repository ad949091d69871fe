"""Runs as rows. Statements are made once: making them costs more than running them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update

from gitops_agent.journal.tables import runs
from gitops_agent.model import Outcome, Revision, Run, Step
from gitops_agent.secret import mask

_LARGEST_PLANS = 512 << 10
"""Characters; larger plans are kept without their diffs, so that one huge commit after the other cannot fill the disk."""

_c = runs.c
_environment = _c.environment == bindparam("of_environment")
_named = _c.id == bindparam("of_id")
_number_kept = select(_c.number).where(_environment).order_by(_c.number.desc()).offset(bindparam("keep") - 1).limit(1)

_UPDATE = update(runs).where(_named)
_INSERT = insert(runs)
_FIND = select(runs).where(_named)
_NEWEST = (
    select(*(column for column in _c if column is not _c.plans))
    .where(or_(bindparam("of_environment").is_(None), _environment))
    .where(or_(bindparam("before").is_(None), _c.number < select(_c.number).where(_c.id == bindparam("before")).scalar_subquery()))
    .order_by(_c.number.desc())
    .limit(bindparam("limit"))
)
_OF_ANOTHER_COMMIT = select(_c.number).where(_environment, _c.sha != bindparam("of_sha")).limit(1)
_PRUNE = delete(runs).where(_environment, _c.number < _number_kept.scalar_subquery())


def record(connection: Connection, run: Run) -> None:
    """Writes the run over what was known of it."""
    row = {
        "environment": run.environment,
        "trigger": mask(run.trigger),
        "branch": run.revision.branch,
        "sha": run.revision.sha,
        "subject": mask(run.revision.subject),
        "author": run.revision.author,
        "started": run.started,
        "ended": run.ended,
        "outcome": None if run.outcome is None else str(run.outcome),
        "message": mask(run.message),
        "drift": run.drift,
        "steps": mask(json.dumps([asdict(step) for step in run.steps])),
        "plans": _plans(run),
    }
    if connection.execute(_UPDATE, {"of_id": run.id, **row}).rowcount == 0:
        connection.execute(_INSERT, {"id": run.id, **row})


def _plans(run: Run) -> str:
    text = json.dumps(run.plans)
    if len(text) > _LARGEST_PLANS:
        text = json.dumps([{**plan, "changes": [{**change, "diff": ""} for change in plan["changes"]]} for plan in run.plans])
    return mask(text)


def find(connection: Connection, id: str) -> Run | None:  # noqa: A002 -- the word of the model
    row = connection.execute(_FIND, {"of_id": id}).first()
    return None if row is None else _run(row)


def newest(connection: Connection, environment: str | None, limit: int, before: str | None) -> list[Run]:
    rows = connection.execute(_NEWEST, {"of_environment": environment, "before": before, "limit": limit})
    return [_run(row) for row in rows]


def knows_only(connection: Connection, environment: str, sha: str) -> bool:
    """Whether no run of another commit is known."""
    return connection.execute(_OF_ANOTHER_COMMIT, {"of_environment": environment, "of_sha": sha}).first() is None


def prune(connection: Connection, environment: str, keep: int) -> None:
    connection.execute(_PRUNE, {"of_environment": environment, "keep": keep})


def _run(row: Row[Any]) -> Run:
    columns = row._mapping  # noqa: SLF001 -- SQLAlchemy's documented way to names
    return Run(
        id=columns["id"],
        environment=columns["environment"],
        trigger=columns["trigger"],
        revision=Revision(columns["branch"], columns["sha"], columns["subject"], columns["author"]),
        started=columns["started"],
        ended=columns["ended"],
        outcome=None if columns["outcome"] is None else Outcome(columns["outcome"]),
        message=columns["message"],
        steps=tuple(Step(**step) for step in json.loads(columns["steps"])),
        plans=tuple(json.loads(columns.get("plans", "[]"))),
        drift=columns["drift"],
    )
