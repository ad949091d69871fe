"""Roles and databases of a real PostgreSQL as a config repo: what was made by hand is adopted, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_agent import secret
from gitops_agent.adopt import landscape, systems
from gitops_agent.adopt.described import Described
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.tables import Table
from gitops_agent.cli.adopt import _addresses, _of_services
from gitops_agent.errors import ConfigError, UnsafePlan
from gitops_agent.model import Action, Files
from gitops_agent.secret import Secret
from gitops_agent.target import Site
from gitops_agent.targets.postgres import TARGET
from gitops_agent.targets.postgres.target import Postgres
from tests.adopt.test_tables import inspected
from tests.canary import Canary
from tests.conformance.converge import converge, plan
from tests.conformance.subject import KEY
from tests.targets.postgres.server import PostgresServer

pytestmark = pytest.mark.server
_ADMINISTRATOR, _PASSWORD = "root_of_tests", "superuser-of-tests"
_NOBODY = Landscape("shop", Path("/srv/shop"), (), (), ())
_BY_HAND = (
    "CREATE ROLE readers",
    "CREATE ROLE shop LOGIN PASSWORD 'shop-of-tests' CONNECTION LIMIT 20 VALID UNTIL '2099-01-01T01:00:00+01:00'",
    "CREATE ROLE report LOGIN NOINHERIT PASSWORD 'report-of-tests' IN ROLE readers, pg_monitor",
    "CREATE ROLE plain LOGIN CREATEDB",
    "COMMENT ON ROLE shop IS 'Ann knows'",
    "CREATE DATABASE shop OWNER shop CONNECTION LIMIT 50",
    "COMMENT ON DATABASE shop IS 'Ours. Ask Ann.'",
    "REVOKE ALL ON DATABASE shop FROM PUBLIC",
    "GRANT CONNECT, TEMPORARY ON DATABASE shop TO readers",
    "CREATE DATABASE stock OWNER root_of_tests TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
)
_ROLES = {
    "plain": {"createdb": True},
    "readers": {"login": False},
    "report": {"inherit": False, "member_of": ["pg_monitor", "readers"], "keep_password": True},
    "shop": {"connection_limit": 20, "valid_until": "2099-01-01T00:00:00Z", "keep_password": True},
}
_DATABASES = {
    "shop": {
        "owner": "shop",
        "connection_limit": 50,
        "grants": {"readers": ["connect", "temporary"]},
        "schemas": {
            "public": {"owner": "pg_database_owner", "grants": {}},
            "sales": {"owner": "shop", "grants": {"readers": ["usage"]}},
        },
    },
    "stock": {
        "owner": _ADMINISTRATOR,
        "encoding": "LATIN1",
        "locale": "C",
        "grants": {"public": ["connect", "temporary"]},
    },
}


@pytest.fixture(scope="module")
def running(binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[PostgresServer]:
    server = PostgresServer(binary("initdb"), free_port)
    yield server
    server.stop()


@pytest.fixture
def postgres(running: PostgresServer) -> PostgresServer:
    running.empty()
    return running


@pytest.fixture
def by_hand(postgres: PostgresServer) -> PostgresServer:
    postgres.do(*_BY_HAND)
    postgres.do(
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "CREATE SCHEMA sales AUTHORIZATION shop",
        "GRANT USAGE ON SCHEMA sales TO readers",
        "CREATE SCHEMA of_the_program AUTHORIZATION shop",
        database="shop",
    )
    return postgres


def look(
    postgres: PostgresServer, directory: Path, left: Left, *, user: str = _ADMINISTRATOR, password: str = _PASSWORD
) -> list[Described]:
    (directory / "password").write_text(password)
    credentials = {"postgres": directory / "password"} if password else {}
    reaching = Reaching({"postgres": f"postgres://127.0.0.1:{postgres.port}"}, left)
    return [*systems.describe(_NOBODY, reaching, credentials, {"postgres": user}, "shop", left)]


def target(table: Table, directory: Path, **more: Any) -> Postgres:
    return TARGET(TARGET.Settings.model_validate({**table.values(), **more}), Site("shop", directory, KEY))


def roles(files: Files) -> dict[str, Any]:
    return dict(yaml.safe_load(files["roles.yaml"]))


def test_the_first_run_writes_nothing(by_hand: PostgresServer, tmp_path: Path, canary: Canary) -> None:
    before = by_hand.writes()
    left = Left()
    (described,) = look(by_hand, tmp_path, left)
    files = described.files()
    assert (roles(files), yaml.safe_load(files["databases.yaml"])) == (_ROLES, _DATABASES)
    assert left.found == {Why.SYSTEM: {f"role {_ADMINISTRATOR}": "may do everything: an administrator's"}}
    made = converge(target(described.table, tmp_path), files)
    assert {change.action for change in made} == {Action.ADOPT}
    assert len(made.changes) == len(_ROLES) + len(_DATABASES)
    assert not plan(target(described.table, tmp_path), files, applied=files)
    assert by_hand.writes() == before
    for name in ("shop", "report"):
        canary.secret(f"{name}-of-tests")
        canary.secret(str(by_hand.rows(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{name}'")[0][0]))
    canary.watch(str(files), str(described.table), str(left.found))


def test_a_push_changes_one_thing_and_no_password(by_hand: PostgresServer, tmp_path: Path) -> None:
    (described,) = look(by_hand, tmp_path, Left())
    files = described.files()
    changed = {**files, "roles.yaml": files["roles.yaml"].replace(b"20", b"30")}
    made = converge(target(described.table, tmp_path), changed, applied=files)
    assert [(change.action, change.name) for change in made] == [(Action.UPDATE, "role:shop")]
    assert by_hand.logs_in("shop", "shop-of-tests", "shop")
    comments = by_hand.rows("SELECT shobj_description('shop'::regrole, 'pg_authid')")
    assert comments == [("Ann knows\ngitops-agent: shop/postgres",)]


def test_a_password_can_be_declared_later(by_hand: PostgresServer, tmp_path: Path) -> None:
    """The one in use is taken over; over another one, only with consent."""
    (described,) = look(by_hand, tmp_path, Left())
    files = described.files()
    reference = secret.placeholder(Secret("file:shop"), KEY).encode()
    shop = next(line for line in files["roles.yaml"].splitlines() if line.startswith(b"shop: "))
    with_password = shop.replace(b'"keep_password": true', b"password: '%s'" % reference)
    declared = {**files, "roles.yaml": files["roles.yaml"].replace(shop, with_password)}
    made = plan(target(described.table, tmp_path), declared, applied=files, secrets={"file:shop": "shop-of-tests"})
    assert [(change.action, change.name) for change in made] == [(Action.ADOPT, "role:shop")]
    another = {"file:shop": "another-of-tests"}
    with pytest.raises(UnsafePlan, match="role:shop not ours"):
        converge(target(described.table, tmp_path), declared, applied=files, secrets=another)
    converge(target(described.table, tmp_path, adopt=True), declared, applied=files, secrets=another)
    assert by_hand.logs_in("shop", "another-of-tests", "shop")


def test_what_cannot_be_said_is_told(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.do(
        'CREATE ROLE "Bob Smith" LOGIN',
        "CREATE ROLE dba SUPERUSER",
        "CREATE ROLE app",
        "CREATE DATABASE app OWNER app",
        "CREATE DATABASE lent OWNER app",
        "CREATE ROLE lender",
        "GRANT CONNECT ON DATABASE lent TO lender WITH GRANT OPTION",
        "CREATE DATABASE closed OWNER app ALLOW_CONNECTIONS false",
        "CREATE DATABASE mixed OWNER app TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'",
    )
    postgres.do("CREATE SCHEMA lent", "GRANT USAGE ON SCHEMA lent TO lender WITH GRANT OPTION", database="app")
    left = Left()
    (described,) = look(postgres, tmp_path, left)
    files = described.files()
    assert {*roles(files)} == {"app", "lender"}
    assert {*yaml.safe_load(files["databases.yaml"])} == {"app", "mixed"}
    told = left.found.pop(Why.SYSTEM)
    assert left.found == {}
    assert {what: why for what, why in told.items() if not what.startswith("database")} == {
        "role Bob Smith": "'Bob Smith' cannot be a name here",
        "role dba": "may do everything: an administrator's",
        f"role {_ADMINISTRATOR}": "may do everything: an administrator's",
        "schema lent of database app": "has privileges that may be passed on",
        "locale of database mixed": "sorts by one and reads characters by another",
    }
    assert "not currently accepting connections" in told["database closed"]
    assert "database lent" in told


def test_schemas_of_extensions_are_theirs(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.do("CREATE ROLE app", "CREATE DATABASE app OWNER app")
    postgres.do(
        "CREATE SCHEMA trigrams",
        "GRANT USAGE ON SCHEMA trigrams TO PUBLIC",
        "CREATE EXTENSION pg_trgm",
        "ALTER EXTENSION pg_trgm ADD SCHEMA trigrams",
        database="app",
    )
    (described,) = look(postgres, tmp_path, Left())
    assert "schemas" not in yaml.safe_load(described.files()["databases.yaml"])["app"]


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        (_ADMINISTRATOR, "wrong", "password authentication failed"),
        (_ADMINISTRATOR, "", f"give it the password of {_ADMINISTRATOR}: --postgres-password FILE"),
        ("nobody_there", "wrong", "password authentication failed"),
    ],
)
def test_what_cannot_be_read_is_told(
    postgres: PostgresServer, tmp_path: Path, canary: Canary, user: str, password: str, said: str
) -> None:
    left = Left()
    assert look(postgres, tmp_path, left, user=user, password=password) == []
    (told,) = left.found[Why.ATTENTION].items()
    assert told[0] == f"postgres at 127.0.0.1:{postgres.port}"
    assert said in told[1]
    canary.secret("superuser-of-tests")
    canary.watch(told[1])


def test_who_is_no_superuser_describes_what_it_sees(by_hand: PostgresServer, tmp_path: Path) -> None:
    by_hand.do("CREATE ROLE steward LOGIN CREATEROLE PASSWORD 'steward-of-tests'")
    left = Left()
    (described,) = look(by_hand, tmp_path, left, user="steward", password="steward-of-tests")
    files = described.files()
    assert roles(files)["readers"] == {"login": False, "keep_password": True}, "whether it has one is not to be seen"
    assert {*yaml.safe_load(files["databases.yaml"])} == {"stock"}
    assert "permission denied for database" in left.found[Why.SYSTEM]["database shop"]
    assert {change.action for change in plan(target(described.table, tmp_path), files)} == {Action.ADOPT}


def test_each_of_several_is_a_target(by_hand: PostgresServer, tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Two containers of one server, as people who log in differently see it; a third does not run."""
    by_hand.do("CREATE ROLE second SUPERUSER LOGIN PASSWORD 'second-of-tests'")
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    passwords = {"postgres": _PASSWORD, "postgres/other_db": "second-of-tests"}
    credentials = {name: tmp_path / name.replace("/", "-") for name in passwords}
    for name, file in credentials.items():
        file.write_text(passwords[name])
    found = []
    for name, user, port in (("db", _ADMINISTRATOR, 0), ("other_db", "second", 0), ("off", "postgres", free_port())):
        one = inspected(tmp_path, name, titles=("postgres",))
        container = replace(one.container, environment=(f"POSTGRES_USER={user}",))
        found.append(replace(one, container=container, ports={5432: ("127.0.0.1", port or by_hand.port)}))
    left = Left()
    scene = landscape.look(found, "")
    tables = [one.table for one in systems.describe(scene, Reaching({}, left), credentials, {"postgres": ""}, "shop", left)]
    assert [(table.name, table.settings["user"], table.where) for table in tables] == [
        ("postgres", _ADMINISTRATOR, f"127.0.0.1:{by_hand.port}"),
        ("postgres-other-db", "second", f"127.0.0.1:{by_hand.port}"),
    ]
    assert left.found[Why.ATTENTION] == {"off": "nothing answers at its port: its roles and databases are not taken"}


def test_a_password_may_be_that_of_one_service() -> None:
    said = ["all", "db=run/one", "./a=b"]
    assert _of_services("postgres", said[:2]) == {"postgres": Path("all"), "postgres/db": Path("run/one")}
    assert _of_services("postgres", said[2:]) == {"postgres": Path("a=b")}


def test_its_address_is_none_of_http() -> None:
    assert _addresses(["postgres=postgres://db:5433"]) == {"postgres": "postgres://db:5433"}
    for said, example in (("postgres=http://db:5432", "postgres=postgres://"), ("consul=postgres://db:5432", "consul=http://")):
        with pytest.raises(ConfigError, match=f"as in {example}"):
            _addresses([said])
