"""A real PostgreSQL for tests: a cluster of its own in a directory, on loopback, that takes nothing but SCRAM."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

_SUPERUSER = "root_of_tests"
_PASSWORD = "superuser-of-tests"
_CONFIG = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
shared_buffers = 16MB
max_connections = 40
log_statement = all
"""


class PostgresServer:
    """Looks at and changes the server as its superuser, without any code of the agent's."""

    def __init__(self, initdb: str, free_port: Callable[[], int]) -> None:
        self.port = free_port()
        # The server refuses to be root, and its user could not enter pytest's directories.
        self._user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self._directory = Path(tempfile.mkdtemp(prefix="gitops-pg-"))
        shutil.chown(self._directory, self._user)
        password = self._directory / "password"
        password.write_text(_PASSWORD)
        password.chmod(0o644)
        programs = Path(initdb).resolve().parent
        data = self._directory / "data"
        initialise = [programs / "initdb", "-D", data, "-U", _SUPERUSER, "-A", "scram-sha-256", "--pwfile", password]
        initialise += ["-N", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(initialise, user=self._user, cwd="/", check=True, capture_output=True)
        with (data / "postgresql.conf").open("a") as config:
            config.write(f"{_CONFIG}port = {self.port}\n")
        self._command = [programs / "postgres", "-D", data]
        self.start()

    @property
    def log(self) -> str:
        return (self._directory / "log").read_text()

    def start(self) -> None:
        with (self._directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command, user=self._user, cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                self.rows("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.log[-2000:]
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self._directory)

    def connect(self, database: str = "postgres", user: str = _SUPERUSER, password: str = _PASSWORD) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=user, password=password, dbname=database, autocommit=True, connect_timeout=5
        )

    def rows(self, query: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        with self.connect(database) as connection:
            return connection.execute(query.encode()).fetchall()

    def do(self, *statements: str, database: str = "postgres") -> None:
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def logs_in(self, user: str, password: str, database: str) -> bool:
        try:
            with self.connect(database, user, password):
                return True
        except psycopg.OperationalError:
            return False

    def empty(self) -> None:
        """As after initdb."""
        for (name,) in self.rows("SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"):
            self.do(f'DROP DATABASE "{name}" WITH (FORCE)')
        self.do("DROP SCHEMA IF EXISTS gitops_agent CASCADE")
        roles = self.rows(f"SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> '{_SUPERUSER}'")
        self.do(*(f'DROP OWNED BY "{name}"' for (name,) in roles), *(f'DROP ROLE "{name}"' for (name,) in roles))

    def writes(self) -> int:
        """Transactions that wrote something, so far."""
        return int(self.rows("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")[0][0])
