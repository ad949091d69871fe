"""The outbox's rows: what is to be said of which commit, in which order, and what of it was said."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from gitops_agent.journal.entries import OutboxItem
from gitops_agent.journal.tables import is_pending, is_waiting, statuses
from gitops_agent.model import CommitStatus, StatusState

WAITING, SENT, DROPPED = "waiting", "sent", "dropped"
_RED = (StatusState.FAILURE, StatusState.ERROR)
_AT_ONCE = 100
"""Rows read for one round of sending: after a long outage there may be thousands."""

_c = statuses.c
_row = _c.id == bindparam("of_id")
_environment = _c.environment == bindparam("of_environment")
_commit = _c.sha == bindparam("of_sha")
_same = _commit & (_c.context == bindparam("of_context"))
_alive = _c.place != DROPPED
_unsent = _environment & is_waiting
_heads = select(func.min(_c.id)).where(_unsent).group_by(_c.sha, _c.context)
_id_kept = select(_c.id).where(_environment).order_by(_c.id.desc()).offset(bindparam("keep") - 1).limit(1)

_LAST = select(statuses).where(_same, _c.newest, _alive)
_OF_COMMIT = select(statuses).where(_commit, _alive).order_by(_c.id)
_PENDING = select(statuses).where(_environment, is_pending, _alive).order_by(_c.id)
_WAITING = select(statuses).where(_c.id.in_(_heads)).order_by(_c.due, _c.id).limit(_AT_ONCE)
_COUNT_WAITING = select(func.count()).select_from(statuses).where(_unsent)
_DROP_UNTRIED = update(statuses).where(_row, _c.place == WAITING, _c.attempts == 0).values(place=DROPPED, note="overtaken")
_NO_LONGER_NEWEST = update(statuses).where(_same, _c.newest).values(newest=False)
_INSERT = insert(statuses)
_SENDING = update(statuses).where(_row, _c.place == WAITING).values(attempts=_c.attempts + 1, uncertain=True)
_CHANGE = update(statuses).where(_row)
_PRUNE = delete(statuses).where(_environment, _c.id < _id_kept.scalar_subquery())


def queue(connection: Connection, environment: str, status: CommitStatus, *, uncertain: bool, outcome: bool = False) -> bool:
    """Puts the status behind the others of its commit and context; `outcome`: it is what a run came to. False when it says nothing
    new:

    - `pending` of a commit of which something else was said already: a retry does not take back a red status before it is green.
      Unless it is an outcome: then approval is waited for;
    - `skipped` of a commit that is not pending;
    - the same state again, and for `pending` and a red one the same description too.

    A `pending` that was never tried to be sent is dropped: its successor says more.
    """
    same = {"of_sha": status.sha, "of_context": status.context}
    row = connection.execute(_LAST, same).first()
    last = None if row is None else _item(row)
    if last is not None and last.status.state is StatusState.PENDING and status.state is not StatusState.PENDING:
        untried = connection.execute(_DROP_UNTRIED, {"of_id": last.id}).rowcount == 1
        if untried and status.state is StatusState.SKIPPED:
            return False
    if not _is_news(status, None if last is None else last.status, outcome=outcome):
        return False
    _add(connection, environment, status, WAITING, uncertain=uncertain)
    return True


def recall(connection: Connection, environment: str, status: CommitStatus) -> None:
    """Notes what was sent by an agent with another journal."""
    _add(connection, environment, status, SENT)


def _add(connection: Connection, environment: str, status: CommitStatus, place: str, *, uncertain: bool = False) -> None:
    connection.execute(_NO_LONGER_NEWEST, {"of_sha": status.sha, "of_context": status.context})
    row_values = {
        "environment": environment,
        "sha": status.sha,
        "context": status.context,
        "state": str(status.state),
        "description": status.description,
        "url": status.url,
        "place": place,
        "newest": True,
        "queued": time.time(),
        "due": 0.0,
        "attempts": 0,
        "uncertain": uncertain,
        "note": "",
    }
    connection.execute(_INSERT, row_values)


def _is_news(status: CommitStatus, last: CommitStatus | None, *, outcome: bool) -> bool:
    if last is None:
        return status.state is not StatusState.SKIPPED
    if status.state is StatusState.PENDING:
        return last.description != status.description if last.state is StatusState.PENDING else outcome
    if status.state is StatusState.SKIPPED:
        return last.state is StatusState.PENDING
    return last.state is not status.state or (status.state in _RED and last.description != status.description)


def waiting(connection: Connection, environment: str) -> list[OutboxItem]:
    """The oldest unsent status of each commit and context; those that never failed first."""
    return [_item(row) for row in connection.execute(_WAITING, {"of_environment": environment})]


def count_waiting(connection: Connection, environment: str) -> int:
    return connection.scalar(_COUNT_WAITING, {"of_environment": environment}) or 0


def sending(connection: Connection, id: int) -> bool:  # noqa: A002 -- the row's
    """Marks before the request goes out. False when the status was dropped in the meantime."""
    return connection.execute(_SENDING, {"of_id": id}).rowcount == 1


def change(connection: Connection, id: int, **values: object) -> None:  # noqa: A002
    connection.execute(_CHANGE, {"of_id": id, **values})


def last(connection: Connection, sha: str, context: str) -> CommitStatus | None:
    row = connection.execute(_LAST, {"of_sha": sha, "of_context": context}).first()
    return None if row is None else _item(row).status


def of_commit(connection: Connection, sha: str) -> list[CommitStatus]:
    return [_item(row).status for row in connection.execute(_OF_COMMIT, {"of_sha": sha})]


def pending(connection: Connection, environment: str) -> list[CommitStatus]:
    return [_item(row).status for row in connection.execute(_PENDING, {"of_environment": environment})]


def prune(connection: Connection, environment: str, keep: int) -> None:
    """By number, not by age: what was last said of a commit must be known for as long as it may be run again."""
    connection.execute(_PRUNE, {"of_environment": environment, "keep": keep})


def _item(row: Row[Any]) -> OutboxItem:
    status = CommitStatus(row.sha, row.context, StatusState(row.state), row.description, row.url)
    return OutboxItem(row.id, row.environment, status, row.attempts, row.uncertain, row.due, row.note)
