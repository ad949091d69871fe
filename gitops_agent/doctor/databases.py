"""PostgreSQL: it answers, and each program gets into its own database with its own password."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.doctor.stack import Stack
from gitops_agent.errors import AgentError
from gitops_agent.targets.postgres.session import Server
from gitops_agent.targets.postgres.settings import PostgresSettings

_ENDING = "-database"
"""`gitea-database` in the agent's store is the password of the role `gitea`, whose database has its name."""


def look(settings: PostgresSettings, stack: Stack, store: Path) -> Findings:
    try:
        with Server(settings).session() as session:
            version = session.value("SHOW server_version")
            rows = session.rows("SELECT datname, count(pid) FROM pg_database LEFT JOIN pg_stat_activity USING (datname) GROUP BY 1")
    except AgentError as error:
        remedy = f"{stack.logs('postgres')}; {stack.inside('postgres', 'psql --username postgres --list')}"
        yield Finding(settings.name, "answers", False, str(error), remedy)
        return
    yield Finding(settings.name, "answers", True, f"PostgreSQL {version}")
    connections = {str(name): int(count) for name, count in rows}
    for file in sorted(store.glob(f"*{_ENDING}")):
        yield _database(settings, file.name.removesuffix(_ENDING), file, connections)


def _database(settings: PostgresSettings, name: str, password: Path, connections: Mapping[str, int]) -> Finding:
    what = f"database {name}"
    if name not in connections:
        return Finding(
            settings.name, what, False, "is not there", f"gitops-agent sync: {settings.folder}/databases.yaml declares it"
        )
    own = settings.model_copy(update={"user": name, "password_file": password, "database": name})
    try:
        with Server(own).session() as session:
            session.value("SELECT 1")
    except AgentError as error:
        return Finding(
            settings.name, what, False, str(error), f"gitops-agent sync: gives the role {name} the password that is in the store"
        )
    return Finding(settings.name, what, True, f"{name} gets in, {connections[name]} connections")
