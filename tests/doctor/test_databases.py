"""Databases of programs on a real PostgreSQL: each gets in with what the agent's store says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.doctor import databases
from gitops_agent.targets.postgres.settings import PostgresSettings
from tests.doctor.conftest import bad
from tests.doctor.stage import STACK
from tests.targets.postgres.server import PostgresServer

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def server(binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[PostgresServer]:
    running = PostgresServer(binary("initdb"), free_port)
    yield running
    if running.process.poll() is None:
        running.stop()


def test_a_program_that_does_not_get_into_its_database(server: PostgresServer, tmp_path: Path) -> None:
    server.do("CREATE ROLE agent LOGIN PASSWORD 'agent-of-tests'")
    (tmp_path / "agent").write_text("agent-of-tests")
    table = {"kind": "postgres", "name": "postgres", "host": "127.0.0.1", "port": server.port, "user": "agent", "timeout": 5}
    settings = PostgresSettings.model_validate({**table, "password_file": tmp_path / "agent"})
    (tmp_path / "gitea-database").write_text("gitea-of-tests")
    assert bad(databases.look(settings, STACK, tmp_path)) == {"database gitea": "is not there"}
    server.do("CREATE ROLE gitea LOGIN PASSWORD 'another'", "CREATE DATABASE gitea OWNER gitea")
    assert "password authentication failed" in bad(databases.look(settings, STACK, tmp_path))["database gitea"]
    server.do("ALTER ROLE gitea PASSWORD 'gitea-of-tests'")
    with server.connect("gitea", "gitea", "gitea-of-tests"):
        said = {finding.what: (finding.ok, finding.said) for finding in databases.look(settings, STACK, tmp_path)}
    assert said["database gitea"] == (True, "gitea gets in, 1 connections")
    server.stop()
    (away,) = databases.look(settings, STACK, tmp_path)
    assert (away.what, away.remedy[:41]) == ("answers", "docker logs --tail 50 mini-postgres-1; do")
