"""The one place that opens the database: WAL, short transactions, errors by what can be done about them."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gitops_agent.journal import tables
from gitops_agent.journal.entries import JournalCorrupt, JournalLost

_log = logging.getLogger(__name__)
_BUSY = 1000
"""Milliseconds to wait for another process that writes; our own threads take turns by a lock, which wakes sooner."""
_WAL_LIMIT = 4 << 20
_KEPT_ASIDE = 2
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Store:
    """An open database. Any thread may read and write."""

    def __init__(self, path: Path) -> None:
        """Raises JournalLost, or JournalCorrupt for a file that is no database."""
        self._path = path
        self._writing = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._inode = path.stat().st_ino
        except OSError as error:
            raise JournalLost(f"the journal cannot be opened: {error.strerror}") from None
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY / 1000})
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        try:
            with self.writing() as connection:
                tables.prepare(connection)
        except BaseException:
            self.close()
            raise

    @property
    def gone(self) -> bool:
        """Whether somebody moved or deleted the file: what is written now would be lost with the process."""
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that may write; committed at the end, nothing of it is there after an exception."""
        with self._writing, _named_errors(), self._engine.connect() as connection:
            connection.execution_options(begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view; writers do not wait for it."""
        with _named_errors(), self._engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin when we say so, see _begin
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", f"journal_size_limit = {_WAL_LIMIT}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """A transaction that reads first and then writes must be a writer from the beginning, or SQLite refuses the upgrade."""
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        said, code = str(error.orig), getattr(error.orig, "sqlite_errorcode", 0)
        kind = JournalCorrupt if code & 0xFF in _CORRUPT else JournalLost
        raise kind(f"the journal cannot be used: {said}") from None
    except SQLAlchemyError as error:
        raise JournalLost(f"the journal cannot be used: {type(error).__name__}") from None


def aside(path: Path, reason: str) -> None:
    """Moves a corrupt database away, for whoever wants to look at it; only the newest few are kept. Raises JournalLost."""
    target = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    _log.error("the journal is corrupt; a new one is started", extra={"moved to": str(target), "reason": reason})
    try:
        for end in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(target.with_name(target.name + end))
        for old in sorted(path.parent.glob(f"{path.name}.corrupt-*Z"))[:-_KEPT_ASIDE]:
            for end in ("-wal", "-shm", ""):
                old.with_name(old.name + end).unlink(missing_ok=True)
    except OSError as error:
        raise JournalLost(f"the corrupt journal cannot be moved aside: {error.strerror}") from None
