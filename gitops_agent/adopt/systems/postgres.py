"""PostgreSQL: roles, and databases with owners and grants. Passwords stay where they are, and are not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gitops_agent.adopt.described import Described, Entry
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.tables import Table
from gitops_agent.errors import AgentError, Unavailable
from gitops_agent.model import Resource
from gitops_agent.targets.postgres import grants
from gitops_agent.targets.postgres.databases import Databases
from gitops_agent.targets.postgres.declared import Database, Role, both_locales
from gitops_agent.targets.postgres.mark import Mark
from gitops_agent.targets.postgres.roles import Roles
from gitops_agent.targets.postgres.session import Server, Session
from gitops_agent.targets.postgres.settings import PostgresSettings

_NOBODY = Mark("")
_OWN = "pg_"
_DATABASES = "SELECT datname::text FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', %s) ORDER BY 1"
_USUAL_LOCALE = "SELECT datcollate::text, datctype::text FROM pg_database WHERE datname = 'template0'"
_OF_EXTENSIONS = """
SELECT nspname::text FROM pg_namespace n
  JOIN pg_depend d ON d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e'"""
_WHY = "Logs in as the server's administrator; docs/targets/postgres-role.sql makes a role for the agent that may do less."


def connection(address: str, user: str, password: Path | None) -> dict[str, Any]:
    """Settings of a target for the server at `address`, a URL of any kind."""
    parts = urlsplit(address)
    found = {"host": parts.hostname or "", "port": parts.port or 5432, "user": user}
    return {**found, **({"password_file": password} if password else {}), "secrets": ["file:*"]}


def describe(name: str, settings: Mapping[str, Any], left: Left) -> Iterator[Described]:
    """`name` is the target's. Raises Unavailable."""
    table = Table("postgres", name, settings, _WHY)
    connecting = PostgresSettings.model_validate(table.values())
    server = Server(connecting)
    with server.session() as session:
        entries = [*_roles(Roles(server, _NOBODY), session, left)]
        usual_locale = both_locales(*session.rows(_USUAL_LOCALE)[0])
        for (database,) in session.rows(_DATABASES, connecting.database):
            try:
                entries += _database(server, session, database, usual_locale, left)
            except AgentError as error:
                left.add(Why.SYSTEM, f"database {database}", str(error))
    yield Described(table, tuple(entries))


def _roles(roles: Roles, session: Session, left: Left) -> Iterator[Entry]:
    usual = Role().spec()
    found = {resource.name.removeprefix("role:"): resource.spec for resource in roles.observe(session, {})}
    try:
        with_password = roles.with_password(session)
    except Unavailable:
        with_password = frozenset(found)
    for name, spec in sorted(found.items()):
        if name.startswith(_OWN):
            continue
        if spec["superuser"]:
            left.add(Why.SYSTEM, f"role {name}", "may do everything: an administrator's")
            continue
        value = {field: one for field, one in spec.items() if one != usual[field]}
        kept = {"keep_password": True} if name in with_password else {}
        yield Entry.of(f"role {name}", "roles.yaml", {**value, **kept}, key=name)


def _database(server: Server, session: Session, name: str, usual_locale: str, left: Left) -> Iterator[Entry]:
    with server.session(name) as inside:
        schemas = [*_schemas(inside, name, left)]
    asked = Resource(f"database:{name}", {"locale": "", "schemas": dict.fromkeys(["public", *schemas])})
    for found in Databases(server, _NOBODY).observe(session, {asked.name: asked}):
        if found.name == asked.name:
            value = _unusual(found.spec, usual_locale)
            if " " in value.get("locale", ""):
                del value["locale"]
                left.add(Why.SYSTEM, f"locale of database {name}", "sorts by one and reads characters by another")
            yield Entry.of(f"database {name}", "databases.yaml", value, key=name)


def _unusual(spec: Mapping[str, Any], usual_locale: str) -> dict[str, Any]:
    """What says more than an empty declaration would."""
    usual = {**Database(owner="").spec(), "locale": usual_locale}
    schemas = {name: one for name, one in spec["schemas"].items() if one != usual["schemas"].get(name)}
    return {field: one for field, one in {**spec, "schemas": schemas}.items() if one != {**usual, "schemas": {}}[field]}


def _schemas(session: Session, database: str, left: Left) -> Iterator[str]:
    """Where others than the owner may do something; all else in a database is its program's. Extensions see to theirs."""
    others = {name for (name,) in session.rows(_OF_EXTENSIONS)} | {"information_schema", "public"}
    for name, access in grants.read(session, grants.SCHEMAS).items():
        if name in others or name.startswith(_OWN):
            continue
        if any(" " in privilege for privileges in access.values() for privilege in privileges):
            left.add(Why.SYSTEM, f"schema {name} of database {database}", "has privileges that may be passed on")
        else:
            yield name
