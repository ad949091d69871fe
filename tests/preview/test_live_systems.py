"""Plans against a real PostgreSQL and a fake Concourse, as a whole preview makes them: by a role and a user that can only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.concourse import FakeConcourse
from tests.preview.proposing import Proposals
from tests.targets.concourse.subject import pipeline
from tests.targets.postgres.conftest import PASSWORD, ROLE
from tests.targets.postgres.server import PostgresServer
from tests.worker.running import Running, eventually

_SECRETS = {"app": "password-of-app-0815", "previews": "password-of-previews-0815", "agent": PASSWORD}
_ROLES = """\
app: {password: '{{ secret("file:app") }}'}
gitops_agent_preview: {password: '{{ secret("file:previews") }}'}
readers: {login: false}
"""


def _kept(agent: Running, values: dict[str, str]) -> Path:
    directory = agent.path / "state/secrets"
    directory.mkdir(parents=True)
    for name, value in values.items():
        (directory / name).write_text(value)
    return directory


@pytest.fixture
def postgres(binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[PostgresServer]:
    server = PostgresServer(binary("initdb"), free_port)
    server.do(ROLE.read_text(), f"ALTER ROLE gitops_agent PASSWORD '{PASSWORD}'")
    yield server
    server.stop()


@pytest.mark.server
def test_roles_and_databases_that_somebody_changed(agent: Running, proposals: Proposals, postgres: PostgresServer) -> None:
    kept = _kept(agent, _SECRETS)
    databases = "app: {owner: app, grants: {gitops_agent_preview: [connect]}}\n"
    agent.author.push({"pg/roles.yaml.j2": _ROLES, "pg/databases.yaml": databases, "pages/index.html": None})
    files = {"password_file": str(kept / "agent"), "preview_password_file": str(kept / "previews")}
    settings = {"port": postgres.port, "drift": "report", "secrets": ["file:*"], **files}
    proposals.start(targets=agent.target("pg", "postgres", **settings))
    eventually(lambda: postgres.logs_in("gitops_agent_preview", _SECRETS["previews"], "app"))
    postgres.do("ALTER ROLE readers CREATEDB", "ALTER ROLE app PASSWORD 'by-hand'")
    number, head = proposals.open({"pg/roles.yaml.j2": _ROLES + "new: {}\n"})
    assert proposals.is_(head, "success") == "pg: 1 created, 1 updated"
    said = proposals.says(number, "| `pg` | 1 created, 1 updated | the live system |")
    assert "createdb: true → false" in said
    assert not any(value in said or value in proposals.log() for value in _SECRETS.values())


def test_pipelines_that_somebody_changed(agent: Running, proposals: Proposals) -> None:
    with FakeConcourse() as concourse:
        concourse.users |= {"gitops-agent": "writes", "gitops-agent-preview": "looks"}
        concourse.roles |= {("local:gitops-agent", "main"): "member", ("local:gitops-agent-preview", "main"): "viewer"}
        kept = _kept(agent, {"writes": "writes", "looks": "looks"})
        agent.author.push({"ci/main/app.yml": pipeline("app"), "ci/main/web.yml": pipeline("web"), "pages/index.html": None})
        files = {"password_file": str(kept / "writes"), "preview_password_file": str(kept / "looks")}
        proposals.start(targets=agent.target("ci", "concourse", address=concourse.url, drift="report", **files))
        eventually(lambda: concourse.pipelines.exists("main", "web") and not concourse.pipelines.all["main", "web"].paused)
        concourse.pipelines.all["main", "web"].paused = True
        writes = concourse.pipelines.writes
        number, head = proposals.open({"ci/main/app.yml": pipeline("app-two")})
        assert proposals.is_(head, "success") == "ci: 2 updated"
        said = proposals.says(number, "| `ci` | 2 updated | the live system |")
        assert '"app-two"' in said
        assert "differs in paused" in said
        assert concourse.pipelines.writes == writes
