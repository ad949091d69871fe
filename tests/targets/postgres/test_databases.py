"""Databases on a real PostgreSQL: who owns them, who may connect, and that none is ever lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from gitops_agent.errors import ApplyFailed, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Action
from gitops_agent.plan import Limits, guard
from gitops_agent.targets.postgres.target import Postgres
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.postgres.server import PostgresServer

pytestmark = pytest.mark.server
Make = Callable[..., Postgres]
_ROLES = b"app: {}\nother: {}"
_FILES = {"roles.yaml": _ROLES, "databases.yaml": b"app: {owner: app}"}


def test_a_new_database_is_closed_to_the_public(make: Make, postgres: PostgresServer) -> None:
    converge(make(), _FILES)
    postgres.do("ALTER ROLE app PASSWORD 'app-password'", "ALTER ROLE other PASSWORD 'other-password'")
    assert postgres.logs_in("app", "app-password", "app")
    assert not postgres.logs_in("other", "other-password", "app")


def test_the_owner_may_do_what_programs_do_at_their_first_start(make: Make, postgres: PostgresServer) -> None:
    converge(make(), _FILES)
    postgres.do("ALTER ROLE app PASSWORD 'app-password'")
    with postgres.connect("app", "app", "app-password") as program:
        program.execute("CREATE TABLE things (id serial PRIMARY KEY)")
        program.execute("CREATE EXTENSION IF NOT EXISTS pgcrypto")
    assert [change.name for change in plan(make(), _FILES)] == ["role:app"], "its password, set by this test"


def test_another_owner(make: Make, postgres: PostgresServer) -> None:
    converge(make(), _FILES)
    postgres.do("CREATE TABLE public.things (id int)", database="app")
    converge(make(), {**_FILES, "databases.yaml": b"app: {owner: other, grants: {app: [connect]}}"}, applied=_FILES)
    owner = "SELECT pg_get_userbyid(datdba)::text, datacl::text FROM pg_database WHERE datname = 'app'"
    assert postgres.rows(owner) == [("other", "{other=CTc/other,app=c/other}")]


def test_schemas_are_made_and_their_grants_kept(make: Make, postgres: PostgresServer) -> None:
    files = {
        "roles.yaml": _ROLES,
        "databases.yaml": b"app: {owner: app, schemas: {shop: {owner: app, grants: {other: [usage, create]}}}}",
    }
    converge(make(), files)
    acl = "SELECT nspacl::text FROM pg_namespace WHERE nspname = 'shop'"
    assert postgres.rows(acl, database="app") == [("{app=UC/app,other=UC/app}",)]
    postgres.do("REVOKE CREATE ON SCHEMA shop FROM other", database="app")
    converge(make(), files, applied=files)
    assert postgres.rows(acl, database="app") == [("{app=UC/app,other=UC/app}",)]


def test_a_privilege_that_may_be_passed_on_is_another(make: Make, postgres: PostgresServer) -> None:
    files = {"roles.yaml": _ROLES, "databases.yaml": b"app: {owner: app, grants: {other: [connect]}}"}
    converge(make(), files)
    postgres.do("GRANT CONNECT ON DATABASE app TO other WITH GRANT OPTION")
    assert [change.reason for change in converge(make(), files, applied=files)] == ["differs in grants.other[0]"]
    assert not plan(make(), files)


def test_a_database_is_never_dropped_without_allow_destroy(make: Make, postgres: PostgresServer) -> None:
    """Failure mode 30. Nor is the role that owns it."""
    converge(make(), _FILES)
    assert not plan(make(), {"roles.yaml": b"other: {}"}, applied=_FILES)
    made = plan(make(allow_destroy=True), {"roles.yaml": b"other: {}"}, applied=_FILES)
    losses = {change.name: change.destructive for change in made}
    assert losses == {"database:app": "all that is in database:app", "role:app": ""}
    with pytest.raises(UnsafePlan, match="would destroy all that is in database:app"):
        guard(made, Limits())
    converge(make(allow_destroy=True), {"roles.yaml": b"other: {}"}, applied=_FILES)
    assert postgres.rows("SELECT FROM pg_database WHERE datname = 'app'") == []
    assert postgres.rows("SELECT FROM pg_roles WHERE rolname = 'app'") == []


@pytest.mark.slow
def test_a_database_in_use_is_not_dropped(make: Make, postgres: PostgresServer) -> None:
    converge(make(), _FILES)
    with postgres.connect("app"), pytest.raises(ApplyFailed, match=r"database:app: .*other users"):
        converge(make(allow_destroy=True), {"roles.yaml": b"other: {}"}, applied=_FILES)


def test_encoding_and_locale_cannot_change(make: Make) -> None:
    converge(make(), _FILES)
    for more, what in (("encoding: LATIN1", "encoding UTF8, which cannot become LATIN1"), ("locale: C", r"locale C\.utf8")):
        files = {**_FILES, "databases.yaml": f"app: {{owner: app, {more}}}".encode()}
        with pytest.raises(UnsafePlan, match=what):
            plan(make(), files, applied=_FILES)


def test_an_encoding_that_the_locale_does_not_take_is_refused_by_postgresql(make: Make, postgres: PostgresServer) -> None:
    files = {**_FILES, "databases.yaml": b"app: {owner: app, encoding: LATIN1, locale: C.UTF-8}"}
    with pytest.raises(ApplyFailed, match="encoding"):
        converge(make(), files)
    converge(make(), {**_FILES, "databases.yaml": b"app: {owner: app, encoding: SQL_ASCII, locale: C}"})
    assert postgres.rows("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'app'") == [("SQL_ASCII",)]


def test_the_agents_own_database_is_nobodys_to_change(make: Make) -> None:
    """Failure mode 46. `postgres` cannot even be declared."""
    with pytest.raises(InvalidRevision, match="PostgreSQL's own"):
        plan(make(adopt=True), {**_FILES, "databases.yaml": b"postgres: {owner: app}"})


def test_a_mark_of_another_environment_is_not_ours(make: Make, postgres: PostgresServer) -> None:
    converge(make(), _FILES)
    postgres.do("COMMENT ON DATABASE app IS 'gitops-agent: elsewhere/postgres'", "COMMENT ON ROLE app IS 'Ours. Ask Ann.'")
    assert {change.action for change in plan(make(), _FILES)} == {Action.ADOPT}
    changed = {**_FILES, "databases.yaml": b"app: {owner: app, connection_limit: 3}"}
    with pytest.raises(UnsafePlan, match="not ours"):
        converge(make(), changed)
    converge(make(adopt=True), {**changed, "roles.yaml": b"app: {createdb: true}\nother: {}"})
    comments = postgres.rows("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'app'")
    comments += postgres.rows("SELECT shobj_description('app'::regrole, 'pg_authid')")
    assert comments == [("gitops-agent: conformance/postgres",), ("Ours. Ask Ann.\ngitops-agent: conformance/postgres",)]


def test_a_database_that_is_closed_to_the_agent_is_said(make: Make, postgres: PostgresServer) -> None:
    postgres.do("CREATE ROLE app LOGIN", "CREATE DATABASE app OWNER app", "REVOKE CONNECT ON DATABASE app FROM PUBLIC")
    with pytest.raises(Unavailable, match="GRANT its owner, app, to the agent"):
        plan(make(), {"roles.yaml": b"app: {}", "databases.yaml": b"app: {owner: app}"})


def test_two_agents_at_once_make_one_of_each(make: Make, postgres: PostgresServer) -> None:
    """What one of them loses is a conflict, mended by its next run."""
    files = {"roles.yaml": b"\n".join(b"r%d: {}" % number for number in range(20))}
    targets = [make(), make()]
    plans = [plan(target, files) for target in targets]
    errors: list[Exception] = []

    def apply(number: int) -> None:
        try:
            list(carry_out(targets[number], plans[number]))
        except Exception as error:  # noqa: BLE001 -- looked at below
            errors.append(error)

    threads = [threading.Thread(target=apply, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {type(error).__name__ for error in errors} == {"Conflict"}
    converge(make(), files)
    assert not plan(make(), files)


def test_settings_of_role_and_database_do_not_bend_the_agents_statements(make: Make, postgres: PostgresServer) -> None:
    """A search_path with somebody's functions in it, set for the agent's own role."""
    postgres.do(
        "CREATE SCHEMA trap",
        "CREATE FUNCTION trap.pg_has_role(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT 1/0 = 1'",
        "GRANT USAGE ON SCHEMA trap TO PUBLIC",
        "ALTER ROLE gitops_agent SET search_path = trap, pg_catalog",
    )
    try:
        converge(make(), _FILES)
        assert not plan(make(), _FILES)
    finally:
        postgres.do("DROP SCHEMA trap CASCADE", "ALTER ROLE gitops_agent RESET search_path")
