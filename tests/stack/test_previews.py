"""With `previews` in the values pull requests are planned against what is live, by a role and a user that the stack makes."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from gitops_agent.model import Files
from gitops_agent.settings.load import read
from gitops_agent.target import Site, Target
from tests.conformance.converge import converge, plan
from tests.conformance.subject import KEY, build
from tests.fakes.concourse import FakeConcourse
from tests.stack import rendered
from tests.targets.postgres.conftest import PASSWORD, ROLE
from tests.targets.postgres.server import PostgresServer

_PREVIEWS = "previews: true"
_LOGIN = "CONCOURSE_ADD_LOCAL_USER"


def _target(kind: str, place: Path, **settings: Any) -> Target:
    """As agent.toml has it, its secrets in `place`."""
    agent = tomllib.loads(rendered.tree("agent", overlay=_PREVIEWS)["agent/agent.toml"].decode())
    tables = agent["environments"]["test"]["targets"]
    table = {**next(table for table in tables if table["kind"] == kind), **settings}
    for name in ("password_file", "preview_password_file"):
        table[name] = str(place / Path(table[name]).name)
    return build(kind, table, Site("test", place, KEY))


def _finds_nothing_to_do(target: Target, files: Files) -> None:
    reader = target.reader()
    assert reader is not None
    assert not plan(reader, files, applied=files, secrets=rendered.Secrets())
    reader.close()
    target.close()


def test_they_are_on_unless_somebody_does_not_wish_them() -> None:
    for overlay, on in (("", True), ("previews: false", False)):
        text = rendered.tree("agent", overlay=overlay)["agent/agent.toml"].decode()
        assert ("preview" in text) == on
        previews = read(text, Path("agent.toml")).environments["test"].previews
        assert (previews is not None and previews.validation is not None) == on
    for without, left in (("gitea", False), ("concourse-web", True)):
        text = rendered.tree("agent", overlay=f"without: [{without}]")["agent/agent.toml"].decode()
        assert ("test.previews]" in text, "test.previews.validation]" in text) == (left, False)


@pytest.mark.server
def test_the_role_looks_at_every_database_and_at_nothing_in_it(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    server = PostgresServer(binary("initdb"), free_port)
    try:
        server.do(ROLE.read_text(), f"ALTER ROLE gitops_agent PASSWORD '{PASSWORD}'")
        (tmp_path / "gitops-agent-postgres").write_text(PASSWORD)
        password = rendered.value("file:gitops-agent-preview-postgres")
        (tmp_path / "gitops-agent-preview-postgres").write_text(password)
        files = rendered.folder("postgres", _PREVIEWS)
        target = _target("postgres", tmp_path, host="127.0.0.1", port=server.port)
        converge(target, files, secrets=rendered.Secrets())
        _finds_nothing_to_do(target, files)
        server.do("CREATE TABLE looked_at AS SELECT 1 AS one", database="gitea")
        with server.connect("gitea", "gitops_agent_preview", password) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT one FROM looked_at")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TABLE mine ()")
    finally:
        server.stop()


def test_the_user_of_concourse_looks_at_the_pipelines_of_team_main(tmp_path: Path) -> None:
    """Its users as the container's command hands them to Concourse, its roles from the file that is mounted."""
    folder = rendered.folder("compose", _PREVIEWS)
    written = rendered.write(folder, tmp_path)
    web = yaml.safe_load(folder["compose.yaml"])["services"]["concourse-web"]
    assert web["environment"]["CONCOURSE_MAIN_TEAM_CONFIG"] == "/etc/concourse-teams/main.yaml"
    assert web["volumes"] == ["./concourse:/etc/concourse-teams:ro"]
    assert all((written / "secrets" / secret).is_file() for secret in web["secrets"])
    script = web["command"][0].replace("$$", "$").replace("/run/secrets", str(written / "secrets"))
    said = subprocess.run(
        ["/bin/sh", "-ec", script.replace("exec /usr/local/bin/entrypoint.sh web", f'printf %s "${_LOGIN}"')],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with FakeConcourse() as fake:
        fake.users = dict(login.split(":") for login in said.split(","))
        roles = yaml.safe_load((written / "concourse/main.yaml").read_text())["roles"]
        fake.roles = {(f"local:{user}", "main"): role["name"] for role in roles for user in role["local"]["users"]}
        files = rendered.folder("concourse", _PREVIEWS)
        target = _target("concourse", written / "secrets", address=fake.url)
        converge(target, files, secrets=rendered.Secrets())
        _finds_nothing_to_do(target, files)
        assert fake.roles["local:gitops-agent-preview", "main"] == "viewer"
