"""One real PostgreSQL for all tests of this directory, emptied for each; the agent has exactly the role that the docs ship."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.target import Site
from gitops_agent.targets.postgres import TARGET
from gitops_agent.targets.postgres.target import Postgres
from tests.conformance.subject import KEY
from tests.targets.postgres.server import PostgresServer

ROLE = Path(__file__).parents[3] / "docs/targets/postgres-role.sql"
PASSWORD = "agent-of-tests"


@pytest.fixture(scope="session")
def server(binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[PostgresServer]:
    running = PostgresServer(binary("initdb"), free_port)
    yield running
    running.stop()


@pytest.fixture
def postgres(server: PostgresServer) -> PostgresServer:
    server.empty()
    server.do(ROLE.read_text(), f"ALTER ROLE gitops_agent PASSWORD '{PASSWORD}'")
    return server


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{PASSWORD}\n")
    return path


@pytest.fixture
def make(postgres: PostgresServer, password_file: Path, tmp_path: Path) -> Callable[..., Postgres]:
    """`make(**settings)`: a target as after a start of the agent."""

    def build(**more: Any) -> Postgres:
        table = {"kind": "postgres", "name": "postgres", "port": postgres.port, "password_file": str(password_file)}
        settings = TARGET.Settings.model_validate({**table, "secrets": ["file:*"], **more})
        return TARGET(settings, Site("conformance", tmp_path, KEY))

    return build
