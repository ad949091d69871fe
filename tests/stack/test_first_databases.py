"""What PostgreSQL's image reads on an empty volume, and that the target `postgres` finds itself at home there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.model import Action
from gitops_agent.target import Site
from tests.conformance.converge import converge
from tests.conformance.subject import KEY, build
from tests.stack import rendered
from tests.targets.postgres.server import _PASSWORD, _SUPERUSER, PostgresServer

pytestmark = pytest.mark.server
_PROGRAMS = ("gitea", "concourse", "pgadmin")


def _read_by_the_image(server: PostgresServer, psql: Path, written: Path) -> None:
    """As docker-entrypoint.sh does: sourced by bash in the order of their names, `-e`, psql as the superuser."""
    for script in sorted((written / "postgres").glob("*.sh")):
        script.write_text(
            script.read_text()
            .replace("/run/secrets", str(written / "secrets"))
            .replace("--username=postgres", f"--username={_SUPERUSER}")
        )
        environment = {**os.environ, "PATH": f"{psql.parent}:{os.environ['PATH']}"}
        environment |= {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": _SUPERUSER, "PGPASSWORD": _PASSWORD}
        subprocess.run(["bash", "-Eeo", "pipefail", "-c", f". {script}"], env=environment, check=True, capture_output=True)


@pytest.mark.parametrize(("overlay", "made"), [("previews: false", set()), ("", {"role:gitops_agent_preview"})])
def test_programs_get_in_before_the_first_run_and_the_run_adopts(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path, overlay: str, made: set[str]
) -> None:
    initdb = binary("initdb")
    server = PostgresServer(initdb, free_port)
    try:
        written = rendered.write(rendered.folder("compose", overlay), tmp_path / "compose")
        _read_by_the_image(server, Path(initdb).resolve().parent / "psql", written)
        for name in _PROGRAMS:
            with server.connect(name, name, rendered.value(f"file:{name}-database")) as connection:
                connection.execute("CREATE TABLE begun (name text)")
        assert not server.logs_in("gitea", rendered.value("file:gitea-database"), "concourse")
        settings = {"port": server.port, "password_file": str(written / "secrets/gitops-agent-postgres"), "secrets": ["file:*"]}
        target = build("postgres", settings, Site("test", tmp_path / "site", KEY))
        first = converge(target, rendered.folder("postgres", overlay), secrets=rendered.Secrets())
        assert {change.name for change in first if change.action is not Action.ADOPT} == made
        target.close()
    finally:
        server.stop()
