"""What plans pull requests: another PostgreSQL target, with a role that can only read, and reads no password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Unavailable, UnsafePlan
from gitops_agent.model import Files
from gitops_agent.secret import Secret
from gitops_agent.targets.postgres.session import Name, Server
from gitops_agent.targets.postgres.target import Postgres
from tests.conformance.converge import carry_out, converge, plan
from tests.conformance.subject import KEY
from tests.targets.postgres.server import PostgresServer

pytestmark = pytest.mark.server
Make = Callable[..., Postgres]
_PREVIEWS, _PASSWORD = "gitops_agent_preview", "only-for-previews"
_SECRETS = {"file:db": "password-of-app", "file:previews": _PASSWORD}
_Statement: TypeAlias = tuple[str, tuple[object, ...]]
_STATEMENTS: tuple[_Statement, ...] = (
    ("CREATE ROLE {}", (Name("new"),)),
    ("ALTER ROLE {} CREATEDB", (Name("app"),)),
    ("ALTER ROLE {} PASSWORD {}", (Name("app"), "x")),
    ("ALTER ROLE {} CONNECTION LIMIT {}", (Name("app"), 1)),
    ("GRANT {} TO {}", (Name("readers"), Name("app"))),
    ("GRANT {} TO CURRENT_USER", (Name("app"),)),
    ("REVOKE {} FROM {}", (Name("readers"), Name("app"))),
    ("COMMENT ON ROLE {} IS {}", (Name("app"), "mine")),
    ("DROP OWNED BY {}", (Name("app"),)),
    ("DROP ROLE {}", (Name("readers"),)),
    ("CREATE DATABASE {}", (Name("new"),)),
    ("ALTER DATABASE {} OWNER TO {}", (Name("app"), Name("readers"))),
    ("ALTER DATABASE {} RENAME TO {}", (Name("app"), Name("new"))),
    ("ALTER DATABASE {} CONNECTION LIMIT {}", (Name("app"), 1)),
    ("COMMENT ON DATABASE {} IS {}", (Name("app"), "mine")),
    ("GRANT ALL ON SCHEMA {} TO PUBLIC", (Name("gitops_agent"),)),
    ("DROP DATABASE {}", (Name("app"),)),
    ("CREATE SCHEMA {}", (Name("new"),)),
    ("ALTER SCHEMA {} OWNER TO {}", (Name("public"), Name("app"))),
    ("CREATE TABLE public.t ()", ()),
)
"""Whatever the target may write, and more."""
_EVERYBODYS: tuple[_Statement, ...] = (
    ("ALTER ROLE {} PASSWORD {}", (Name(_PREVIEWS), "its own")),
    ("REVOKE ALL ON DATABASE {} FROM PUBLIC", (Name("app"),)),  # a warning only, to who may not
    ("GRANT CONNECT ON DATABASE {} TO PUBLIC", (Name("app"),)),
)


def _files(roles: str = "", grants: str = f"{{{_PREVIEWS}: [connect]}}") -> Files:
    password, previews = (secret.placeholder(Secret(f"file:{name}"), KEY) for name in ("db", "previews"))
    text = f"app: {{password: '{password}'}}\nreaders: {{login: false}}\n{_PREVIEWS}: {{password: '{previews}'}}\n{roles}"
    return {"roles.yaml": text.encode(), "databases.yaml": f"app: {{owner: app, grants: {grants}}}\n".encode()}


def _write(target: Postgres, *statements: _Statement) -> None:
    """As previews log in."""
    with Server(target.settings, reads_only=True).session(during="write") as session:
        for statement, values in statements:
            session.do(statement, *values)


@pytest.fixture
def target(make: Make, tmp_path: Path) -> Postgres:
    """With what `_files` says applied, the role for previews among it."""
    (tmp_path / "reads").write_text(_PASSWORD)
    target = make(preview_password_file=str(tmp_path / "reads"), allow_destroy=True)
    converge(target, _files(), secrets=_SECRETS)
    return target


@pytest.fixture
def reader(target: Postgres) -> Iterator[Postgres]:
    reader = target.reader()
    assert isinstance(reader, Postgres)
    yield reader
    reader.close()


def test_without_a_password_there_is_none(make: Make) -> None:
    assert make().reader() is None


def test_it_plans_like_the_other_and_cannot_write(target: Postgres, reader: Postgres) -> None:
    was, wanted = _files(), {**_files("new: {}\nreaders-of-more: {member_of: [readers]}\n"), "databases.yaml": b""}
    assert not plan(reader, was, applied=was, secrets=_SECRETS)
    proposed = plan(reader, wanted, applied=was, secrets=_SECRETS)
    assert proposed.text() == plan(target, wanted, applied=was, secrets=_SECRETS).text()
    assert proposed.count() == "2 created, 1 deleted"
    with pytest.raises(ApplyFailed, match="read-only transaction"):
        list(carry_out(reader, proposed))
    assert not plan(target, was, applied=was, secrets=_SECRETS)


def test_it_sees_what_somebody_did_by_hand(reader: Postgres, postgres: PostgresServer) -> None:
    postgres.do("ALTER ROLE readers CREATEDB", "GRANT CREATE ON DATABASE app TO readers")
    drifted = plan(reader, _files(), applied=_files(), secrets=_SECRETS)
    assert [change.reason for change in drifted] == ["differs in createdb", "differs in grants.readers"]


def test_a_password_is_neither_asked_for_nor_told(reader: Postgres, postgres: PostgresServer) -> None:
    """Another one, none, or one where none is declared: who only reads is told the same of all."""
    began = len(postgres.log)
    for statement in ("ALTER ROLE app PASSWORD 'by-hand'", "ALTER ROLE app PASSWORD NULL", "ALTER ROLE readers PASSWORD 'x'"):
        postgres.do(statement)
        assert not plan(reader, _files(), applied=_files(), secrets=_SECRETS)
    asked = postgres.log[began:]
    assert "pg_auth_members" in asked
    assert "password_" not in asked


def test_every_statement_that_writes_is_refused(target: Postgres, postgres: PostgresServer) -> None:
    """What everybody may do, such as to change their own password, is refused too."""
    before = postgres.writes()
    for statement, values in (*_STATEMENTS, *_EVERYBODYS):
        with pytest.raises(ApplyFailed, match="read-only transaction"):
            _write(target, (statement, values))
    assert postgres.writes() == before


def test_its_rights_alone_are_not_enough_to_write_either(target: Postgres, postgres: PostgresServer) -> None:
    for statement, values in _STATEMENTS:
        with pytest.raises(ApplyFailed, match=r"permission denied|must be|must have"):
            _write(target, ("SET default_transaction_read_only = off", ()), (statement, values))
    assert not plan(target, _files(), applied=_files(), secrets=_SECRETS)


def test_how_passwords_are_kept_is_nothing_it_may_read(target: Postgres, postgres: PostgresServer) -> None:
    with postgres.connect(user=_PREVIEWS, password=_PASSWORD) as connection:
        for query in ("SELECT rolpassword FROM pg_authid", "SELECT gitops_agent.password_is('app', 'x')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(query)


def test_a_database_that_is_closed_to_it_is_said(target: Postgres, reader: Postgres) -> None:
    converge(target, _files(grants="{}"), applied=_files(), secrets=_SECRETS)
    with pytest.raises(Unavailable, match="role for previews may not connect to database:app: declare `connect` for it"):
        plan(reader, _files(grants="{}"), secrets=_SECRETS)


def test_the_agents_own_role_is_refused_and_that_of_previews_is_like_any_other(reader: Postgres) -> None:
    with pytest.raises(UnsafePlan, match="role:gitops_agent, which the agent itself lives on"):
        plan(reader, _files("gitops_agent: {}"), secrets=_SECRETS)
    limited = {**_files(), "roles.yaml": _files()["roles.yaml"].replace(b"}\n", b", connection_limit: 3}\n")}
    changed = plan(reader, limited, applied=_files(), secrets=_SECRETS)
    assert {change.name for change in changed} == {"role:app", "role:readers", f"role:{_PREVIEWS}"}
