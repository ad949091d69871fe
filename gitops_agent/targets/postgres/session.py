"""Connections to PostgreSQL: time limits, errors by who must act. The one module that knows psycopg.

Connections last as long as one look or one apply: they cost milliseconds, and none is found broken after the server was restarted.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from gitops_agent.errors import AgentError, ApplyFailed, Conflict, Unavailable
from gitops_agent.secret import mask
from gitops_agent.targets.postgres.settings import PostgresSettings

if TYPE_CHECKING:
    import psycopg

_CONNECT_SECONDS = 5
_LOCK = 0x6769746F7073
"""Of all agents that write to one server: `gitops` in ASCII."""
_LOST_RACES = ("42710", "42P04", "42704", "3D000")
"""Codes of errors (PostgreSQL's Appendix A): there already is such an object, or database; there is none, of either."""
_NOT_THERE = ("08", "53", "57")
"""Classes of errors: connection, resources, somebody stopped it. Without a class it was the connection."""
_CONCURRENT = "tuple concurrently"
"""What PostgreSQL says (as an internal error) when two sessions change one row of a catalogue."""


class Name(str):
    """A name of PostgreSQL's: quoted as such, where other values become literals."""

    __slots__ = ()


class Session:
    """One connection, to one database."""

    def __init__(self, connection: psycopg.Connection[Any], timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._limited():
            return self._connection.execute(query.encode(), parameters or None).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        return self.rows(query, *parameters)[0][0]

    def do(self, statement: str, *values: Any) -> None:
        """A statement with `{}` for each value. What PostgreSQL takes no parameters for is quoted here."""
        from psycopg import sql

        # Announced to whoever audits (and, in tests, kills) the agent: libpq's writes go unseen by Python.
        sys.audit("gitops_agent.postgres.do", statement)
        parts = [sql.Identifier(value) if isinstance(value, Name) else sql.Literal(value) for value in values]
        with self._limited():
            self._connection.execute(sql.SQL(statement).format(*parts))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and one agent at a time on this server."""
        with self._limited(), self._connection.transaction():
            self.rows("SELECT pg_advisory_xact_lock(%s)", _LOCK)
            yield
            sys.audit("gitops_agent.postgres.do", "COMMIT")

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """A server that stopped in the middle says nothing for ever: the connection is cut when the time is over."""
        with socket.socket(fileno=os.dup(self._connection.fileno())) as connection:
            timer = threading.Timer(self._timeout, _cut, (connection,))
            timer.daemon = True
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                timer.join()


class Server:
    """Where sessions come from: the agent's own, or where it `reads_only` those of the role for previews."""

    def __init__(self, settings: PostgresSettings, *, reads_only: bool = False) -> None:
        self.reads_only = reads_only
        self._settings = settings
        self._user = settings.preview_user if reads_only else settings.user
        self._password_file = settings.preview_password_file if reads_only else settings.password_file

    @contextmanager
    def session(self, database: str = "", *, during: str = "") -> Iterator[Session]:
        """`during` names what is being written, in errors. Raises Unavailable, ApplyFailed, Conflict."""
        import psycopg

        try:
            with psycopg.connect(**self._parameters(database), autocommit=True) as connection:
                yield Session(connection, self._settings.timeout)
        except AgentError:
            raise
        except psycopg.Error as error:
            raise self._error(error, during) from None

    def _parameters(self, database: str) -> dict[str, Any]:
        settings = self._settings
        return {
            "host": settings.host,
            "port": settings.port,
            "user": self._user,
            "password": self._password(),
            "passfile": os.devnull,
            "dbname": database or settings.database,
            "sslmode": "verify-full" if settings.ca_file else "prefer",
            "sslrootcert": str(settings.ca_file) if settings.ca_file else None,
            "gssencmode": "disable",
            "require_auth": "!password",  # never in plain text, whoever asks for it
            "connect_timeout": max(2, min(_CONNECT_SECONDS, int(settings.timeout))),
            "application_name": "gitops-agent",
            "options": self._options(),
        }

    def _options(self) -> str:
        """Session defaults that somebody set for the role or the database must not change what statements mean. One that only
        reads writes nothing either of what everybody may, such as a password of its own."""
        milliseconds = int(self._settings.timeout * 1000)
        options = f"-c statement_timeout={milliseconds} -c search_path=pg_catalog -c role=none -c client_encoding=UTF8"
        return f"{options} -c default_transaction_read_only=on" if self.reads_only else options

    def _password(self) -> str | None:
        file = self._password_file
        if file is None:
            return None
        try:
            return file.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"postgres: the password file {file} cannot be read: {getattr(error, 'strerror', error)}") from None

    def _error(self, error: psycopg.Error, during: str) -> AgentError:
        said = mask(" ".join((error.diag.message_primary or str(error)).split()))
        if error.sqlstate in _LOST_RACES or _CONCURRENT in said:
            return Conflict(f"postgres: {during or 'a look'} was overtaken: {said}")
        if not during or (error.sqlstate or "08").startswith(_NOT_THERE):
            return Unavailable(f"postgres at {self._settings.host}:{self._settings.port}: {said}")
        return ApplyFailed(f"postgres refused to {during}: {said}")


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
