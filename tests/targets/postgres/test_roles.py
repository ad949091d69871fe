"""Roles on a real PostgreSQL: passwords, memberships, what is dropped and what never."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Action
from gitops_agent.plan import Limits, guard
from gitops_agent.secret import Secret
from gitops_agent.targets.postgres import scram
from gitops_agent.targets.postgres.target import Postgres
from tests.conformance.converge import carry_out, converge, plan
from tests.conformance.subject import KEY
from tests.targets.postgres.server import PostgresServer

pytestmark = pytest.mark.server
Make = Callable[..., Postgres]
_OLD = {"file:db": "old-password-1"}
_NEW = {"file:db": "new-password-2"}


def _with_password(extra: str = "") -> dict[str, bytes]:
    reference = secret.placeholder(Secret("file:db"), KEY)
    return {"roles.yaml": f"app: {{password: '{reference}'}}\n{extra}".encode()}


def _verifier(postgres: PostgresServer) -> str:
    return str(postgres.rows("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")[0][0])


def test_a_verifier_is_what_postgresql_makes_of_the_password(postgres: PostgresServer) -> None:
    postgres.do("CREATE ROLE app PASSWORD 'tr0ub4dor & 3'")
    made = _verifier(postgres)
    assert scram.with_parameters("tr0ub4dor & 3", made.rsplit("$", 1)[0]) == made
    assert scram.with_parameters("another", made.rsplit("$", 1)[0]) != made


def test_a_changed_password_is_set_and_an_unchanged_one_is_not(make: Make, postgres: PostgresServer) -> None:
    files = _with_password()
    converge(make(), files, secrets=_OLD)
    assert postgres.logs_in("app", "old-password-1", "postgres")
    before = _verifier(postgres)
    assert not plan(make(), files, secrets=_OLD)
    assert _verifier(postgres) == before
    converge(make(), files, secrets=_NEW)
    assert postgres.logs_in("app", "new-password-2", "postgres")
    assert not postgres.logs_in("app", "old-password-1", "postgres")


@pytest.mark.parametrize("statement", ["ALTER ROLE app PASSWORD 'by-hand'", "ALTER ROLE app PASSWORD NULL", "md5"])
def test_a_password_changed_by_hand_is_drift(make: Make, postgres: PostgresServer, statement: str) -> None:
    """Failure mode 29."""
    files = _with_password()
    converge(make(), files, secrets=_OLD)
    md5 = "SET password_encryption = 'md5'; ALTER ROLE app PASSWORD 'old-password-1'"
    postgres.do(md5 if statement == "md5" else statement)
    made = converge(make(), files, applied=files, secrets=_OLD)
    assert [change.reason for change in made] == ["differs in password"]
    assert postgres.logs_in("app", "old-password-1", "postgres")
    assert not plan(make(), files, secrets=_OLD)


def test_a_password_that_left_the_repository_goes(make: Make, postgres: PostgresServer) -> None:
    files = _with_password()
    converge(make(), files, secrets=_OLD)
    converge(make(), {"roles.yaml": b"app: {}"}, applied=files, secrets=_OLD)
    assert _verifier(postgres) == "None"


def test_a_password_is_left_alone_where_the_repository_says_so(make: Make, postgres: PostgresServer) -> None:
    files = {"roles.yaml": b"app: {keep_password: true}"}
    postgres.do("CREATE ROLE app LOGIN PASSWORD 'old-password-1'", "CREATE ROLE bare LOGIN PASSWORD 'old-password-1'")
    made = {change.name: change.action for change in plan(make(), {"roles.yaml": files["roles.yaml"] + b"\nbare: {}"})}
    assert made == {"role:app": Action.ADOPT, "role:bare": Action.REFUSE}, "only there"
    assert not plan(make(), {"roles.yaml": b""}, applied=files), "as long as it has no mark, it stays"
    more = {"roles.yaml": b"app: {keep_password: true, createdb: true}"}
    assert [change.reason for change in converge(make(), more, applied=files)] == ["differs in createdb"]
    postgres.do("ALTER ROLE app PASSWORD 'by-hand-1'")
    assert not plan(make(), more, applied=more)
    assert postgres.logs_in("app", "by-hand-1", "postgres")
    with_password = {**_with_password(), "roles.yaml": _with_password()["roles.yaml"].replace(b"}", b", createdb: true}")}
    converge(make(), with_password, applied=more, secrets=_OLD)
    assert postgres.logs_in("app", "old-password-1", "postgres")


def test_a_role_is_made_without_the_password_that_it_would_keep(make: Make, postgres: PostgresServer) -> None:
    converge(make(), {"roles.yaml": b"app: {keep_password: true}"})
    assert _verifier(postgres) == "None"


def test_a_password_is_kept_or_set(make: Make) -> None:
    files = {"roles.yaml": _with_password()["roles.yaml"].replace(b"}", b", keep_password: true}")}
    with pytest.raises(InvalidRevision, match="write one of them"):
        make().parse(files)


def test_a_password_that_could_not_be_compared_is_refused(make: Make) -> None:
    with pytest.raises(ApplyFailed, match="printable ASCII"):
        converge(make(), _with_password(), secrets={"file:db": "pässwörd"})


def test_adopting_keeps_the_verifier(make: Make, postgres: PostgresServer) -> None:
    postgres.do("CREATE ROLE app LOGIN PASSWORD 'old-password-1'")
    before = _verifier(postgres)
    assert [change.action for change in converge(make(), _with_password(), secrets=_OLD)] == [Action.ADOPT]
    assert _verifier(postgres) == before


def test_without_the_functions_passwords_cannot_be_compared(make: Make, postgres: PostgresServer) -> None:
    postgres.do("DROP SCHEMA gitops_agent CASCADE")
    with pytest.raises(Unavailable, match=r"postgres-role\.sql"):
        plan(make(), _with_password(), secrets=_OLD)
    postgres.do("CREATE ROLE app LOGIN PASSWORD 'old-password-1'")
    kept = {"roles.yaml": b"app: {keep_password: true}"}
    assert [change.action for change in plan(make(), kept)] == [Action.ADOPT], "and need not be"


def test_the_functions_tell_nothing_of_superusers_and_nothing_to_others(postgres: PostgresServer) -> None:
    postgres.do("CREATE ROLE nosy LOGIN PASSWORD 'nosy-nosy'")
    with postgres.connect(user="gitops_agent", password="agent-of-tests") as agent:
        assert agent.execute("SELECT gitops_agent.password_parameters('root_of_tests')").fetchall() == [(None,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute("SELECT rolpassword FROM pg_authid")
    with postgres.connect(user="nosy", password="nosy-nosy") as nosy, pytest.raises(psycopg.errors.InsufficientPrivilege):
        nosy.execute("SELECT gitops_agent.password_is('nosy', 'x')")


def test_a_role_that_became_superuser_is_seen(make: Make, postgres: PostgresServer) -> None:
    """Seen, and beyond the agent's own rights: said aloud instead of hidden."""
    files = {"roles.yaml": b"app: {}"}
    converge(make(), files)
    postgres.do("ALTER ROLE app SUPERUSER")
    assert [change.reason for change in plan(make(), files, applied=files)] == ["differs in superuser"]
    with pytest.raises(ApplyFailed, match="superuser"):
        converge(make(), files, applied=files)


def test_a_membership_given_by_hand_is_taken_back(make: Make, postgres: PostgresServer) -> None:
    files = {"roles.yaml": b"app: {member_of: [readers]}\nreaders: {login: false}\nwriters: {login: false}"}
    converge(make(), files)
    postgres.do("GRANT writers TO app", "REVOKE readers FROM app")
    converge(make(), files, applied=files)
    groups = "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = 'app'::regrole"
    assert postgres.rows(groups) == [("readers",)]


def test_the_end_of_a_role_is_a_moment_in_any_time_zone(make: Make, postgres: PostgresServer) -> None:
    files = {"roles.yaml": b"app: {valid_until: '2030-01-01T02:00:00+02:00'}"}
    converge(make(), files)
    assert postgres.rows("SELECT rolvaliduntil = '2030-01-01T00:00:00Z' FROM pg_roles WHERE rolname = 'app'") == [(True,)]
    assert not plan(make(), files)
    converge(make(), {"roles.yaml": b"app: {}"}, applied=files)
    assert not plan(make(), {"roles.yaml": b"app: {}"})


def test_a_role_with_privileges_only_is_dropped(make: Make, postgres: PostgresServer) -> None:
    databases = b"app: {owner: app, grants: {reader: [connect]}, schemas: {public: {grants: {reader: [usage]}}}}"
    files = {"roles.yaml": b"app: {}\nreader: {}", "databases.yaml": databases}
    converge(make(), files)
    without = {"roles.yaml": b"app: {}", "databases.yaml": b"app: {owner: app}"}
    made = converge(make(), without, applied=files)
    assert Action.DELETE in {change.action for change in made}
    assert postgres.rows("SELECT FROM pg_roles WHERE rolname = 'reader'") == []


def test_a_role_that_owns_something_stays_unless_consented_to(make: Make, postgres: PostgresServer) -> None:
    """Failure mode 30."""
    files = {"roles.yaml": b"app: {}\nauthor: {}", "databases.yaml": b"app: {owner: app, grants: {author: [create]}}"}
    without = {"roles.yaml": b"app: {}", "databases.yaml": b"app: {owner: app}"}
    converge(make(), files)
    postgres.do("CREATE SCHEMA poems AUTHORIZATION author", "CREATE TABLE poems.first AS SELECT 1", database="app")
    converge(make(), without, applied=files)
    assert postgres.rows("SELECT FROM pg_roles WHERE rolname = 'author'") == [()]
    made = plan(make(allow_destroy=True), without)
    assert [change.destructive for change in made] == ["what role:author owns in app"]
    with pytest.raises(UnsafePlan, match="would destroy what role:author owns"):
        guard(made, Limits())
    with pytest.raises(ApplyFailed, match="other objects depend on it"):  # somebody else's table in its schema
        converge(make(allow_destroy=True), without)
    postgres.do("ALTER TABLE poems.first OWNER TO author", database="app")
    converge(make(allow_destroy=True), without)
    assert postgres.rows("SELECT FROM pg_roles WHERE rolname = 'author'") == []


def test_what_a_role_came_to_own_after_the_plan_is_not_dropped(make: Make, postgres: PostgresServer) -> None:
    files = {"roles.yaml": b"app: {}\nauthor: {}", "databases.yaml": b"app: {owner: app, grants: {author: [create]}}"}
    converge(make(), files)
    target = make()
    made = plan(target, {"roles.yaml": b"app: {}", "databases.yaml": files["databases.yaml"].replace(b"author: [create]", b"")})
    postgres.do("CREATE SCHEMA poems AUTHORIZATION author", database="app")
    with pytest.raises(Conflict, match="has come to own something in app"):
        list(carry_out(target, made))
    assert postgres.rows("SELECT FROM pg_namespace WHERE nspname = 'poems'", database="app") == [()]


def test_a_lost_race_is_a_conflict(make: Make, postgres: PostgresServer) -> None:
    files = {"roles.yaml": b"app: {connection_limit: 5}"}
    converge(make(), {"roles.yaml": b"app: {}"})
    target = make()
    made = plan(target, files)
    postgres.do("ALTER ROLE app CREATEDB")
    with pytest.raises(Conflict, match="changed since"):
        list(carry_out(target, made))
    late = plan(target, {**files, "roles-more.yaml": b"new: {}"})
    postgres.do("CREATE ROLE new")
    with pytest.raises(Conflict, match="changed since"):
        list(carry_out(target, late))


def test_the_agents_own_role_is_nobodys_to_change(make: Make) -> None:
    """Failure mode 46."""
    for settings in ({}, {"adopt": True}):
        with pytest.raises(UnsafePlan, match="lives on"):
            plan(make(**settings), {"roles.yaml": b"gitops_agent: {}"})


def test_only_what_agent_toml_lets_it_own(make: Make, postgres: PostgresServer) -> None:
    converge(make(), {"roles.yaml": b"app: {}\nshop: {}"})
    made = plan(make(only=["role:shop*"], prune=True), {"roles.yaml": b"shop: {}"})
    assert not made
    with pytest.raises(Exception, match="lets this target own"):
        plan(make(only=["role:shop*"]), {"roles.yaml": b"app: {}"})
