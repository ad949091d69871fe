"""The databases of the stack, on a real PostgreSQL, made by exactly the role that the docs ship."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest

from gitops_agent.model import Files
from gitops_agent.target import Site
from tests.conformance.converge import converge
from tests.conformance.subject import KEY, build
from tests.stack import rendered
from tests.targets.postgres.conftest import PASSWORD, ROLE
from tests.targets.postgres.server import PostgresServer

pytestmark = pytest.mark.server
_PROGRAMS = ("gitea", "concourse", "pgadmin")


@pytest.fixture(scope="module")
def files() -> Files:
    return rendered.folder("postgres")


@pytest.fixture(scope="module")
def postgres(
    binary: Callable[[str], str], free_port: Callable[[], int], files: Files, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresServer]:
    """With what the folder declares; a second look found nothing more to do."""
    server = PostgresServer(binary("initdb"), free_port)
    server.do(ROLE.read_text(), f"ALTER ROLE gitops_agent PASSWORD '{PASSWORD}'")
    directory = tmp_path_factory.mktemp("site")
    (directory / "password").write_text(PASSWORD)
    settings = {"port": server.port, "password_file": str(directory / "password"), "secrets": ["file:*"]}
    target = build("postgres", settings, Site("test", directory, KEY))
    assert converge(target, files, secrets=rendered.Secrets())
    assert not converge(target, files, secrets=rendered.Secrets())
    target.close()
    yield server
    server.stop()


def _password(program: str) -> str:
    return rendered.value(f"file:{program}-database")


@pytest.mark.parametrize("program", _PROGRAMS)
def test_a_program_has_a_database_of_its_own(postgres: PostgresServer, program: str) -> None:
    with postgres.connect(program, program, _password(program)) as connection:
        connection.execute("CREATE TABLE settings (name text)")
        connection.execute("INSERT INTO settings VALUES ('x')")


def test_no_program_gets_into_the_database_of_another(postgres: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        postgres.connect("concourse", "gitea", _password("gitea"))


def test_pgadmin_reads_the_databases_of_others_and_writes_nothing_there(postgres: PostgresServer) -> None:
    postgres.do("CREATE TABLE IF NOT EXISTS looked_at AS SELECT 1 AS one", database="gitea")
    with postgres.connect("gitea", "pgadmin", _password("pgadmin")) as connection:
        assert connection.execute("SELECT one FROM looked_at").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM looked_at")


def test_pgadmins_list_names_that_server() -> None:
    (server,) = json.loads(rendered.folder("pgadmin")["servers.json"])["Servers"].values()
    assert (server["Host"], server["Port"], server["Username"]) == ("postgres", 5432, "pgadmin")
    assert "Password" not in server
