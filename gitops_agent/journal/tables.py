"""The tables, their version, and how an older journal becomes a newer one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
    insert,
    inspect,
    literal_column,
    select,
    true,
    update,
)

from gitops_agent.journal.entries import JournalLost

VERSION = 1
MIGRATIONS: Mapping[int, Callable[[Connection], None]] = {}
"""By the version they start from: each takes a journal one version further, in one transaction with all others."""

metadata = MetaData()

_schema = Table("schema_version", metadata, Column("version", Integer, nullable=False))

runs = Table(
    "runs",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),  # the order of runs: clocks jump
    Column("id", String(64), nullable=False, unique=True),
    Column("environment", String(64), nullable=False),
    Column("trigger", Text, nullable=False),
    Column("branch", Text, nullable=False),
    Column("sha", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float, nullable=False),
    Column("outcome", String(16)),
    Column("message", Text, nullable=False),
    Column("drift", Boolean, nullable=False),
    Column("steps", Text, nullable=False),
    Column("plans", Text, nullable=False),
    Index("runs_by_environment", "environment", "number"),
    sqlite_autoincrement=True,
)

statuses = Table(
    "statuses",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),  # the order of sending
    Column("environment", String(64), nullable=False),
    Column("sha", String(64), nullable=False),
    Column("context", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("place", String(16), nullable=False),  # waiting, sent or dropped
    Column("newest", Boolean, nullable=False),  # no later one of the same commit and context exists
    Column("queued", Float, nullable=False),
    Column("due", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("uncertain", Boolean, nullable=False),
    Column("note", Text, nullable=False),  # why it waits still, or was dropped
    sqlite_autoincrement=True,
)
Index("statuses_of_a_commit", statuses.c.sha, statuses.c.context, statuses.c.id)
Index("statuses_by_environment", statuses.c.environment, statuses.c.id)
# Written out in the statements too: a database uses a partial index only where it reads the very same condition. All columns of the
# condition are in it, or the planner may find the other index of an environment just as good.
is_waiting = statuses.c.place == literal_column("'waiting'")
is_pending = (statuses.c.newest == true()) & (statuses.c.state == literal_column("'pending'"))
_c = statuses.c
Index("statuses_waiting", _c.environment, _c.place, sqlite_where=is_waiting)
Index("statuses_pending", _c.environment, _c.newest, _c.state, sqlite_where=is_pending)


def prepare(connection: Connection) -> None:
    """Makes the tables, or brings those of an older agent up to date.

    Raises JournalLost for a journal of a newer agent: writing to it could lose what that agent keeps there.
    """
    if not inspect(connection).has_table(_schema.name):
        metadata.create_all(connection)
        connection.execute(insert(_schema).values(version=VERSION))
        return
    version = connection.scalar(select(func.max(_schema.c.version))) or 0
    if version > VERSION:
        raise JournalLost(
            f"the journal has schema {version}, this agent knows {VERSION}: use the newer agent, or move the file away"
        )
    for step in range(version, VERSION):
        MIGRATIONS[step](connection)
    if version < VERSION:
        connection.execute(update(_schema).values(version=VERSION))


def touch(connection: Connection) -> None:
    """Writes, and changes nothing."""
    connection.execute(update(_schema).values(version=_schema.c.version))
