"""PostgreSQL under the suite that every kind passes, with the shipped role and nothing more."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.model import Files
from tests.conformance.adoption import Adoption
from tests.conformance.converge import CANARY
from tests.conformance.events import Sickness
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.conformance.suite import Conformance
from tests.targets.postgres.server import PostgresServer

pytestmark = pytest.mark.server

_APP = b"app: {connection_limit: 20, member_of: [readers]}\n"
_READERS = b"readers: {login: false}\n"
_DATABASES = b"app:\n  owner: app\n  locale: C.UTF-8\n  grants:\n    readers: [connect]\n"
_FIRST: Files = {"roles.yaml": _APP + _READERS + b"old: {}\n", "databases.yaml": _DATABASES}
_WITHOUT: Files = {**_FIRST, "roles.yaml": b"app: {member_of: [readers]}\n" + _READERS + b"old: {}\n"}
_SECOND: Files = {
    "roles.yaml": b"app: {connection_limit: 20}\n" + _READERS + b"dev: {createdb: true, inherit: false}\n",
    "databases.yaml": _DATABASES + b"    dev: [temporary, connect]\n  schemas:\n    public: {grants: {readers: [usage]}}\n",
}
_CONTENT = """
SELECT 'role:' || rolname, json_build_object('login', rolcanlogin, 'inherit', rolinherit, 'createdb', rolcreatedb, 'limit',
       rolconnlimit, 'groups', ARRAY(SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
       WHERE m.member = a.oid ORDER BY 1), 'password', rolpassword IS NOT NULL), xmin::text
  FROM pg_authid a WHERE rolname !~ '^pg_' AND rolname NOT IN ('root_of_tests', 'gitops_agent')
UNION ALL
SELECT 'database:' || datname, json_build_object('owner', pg_get_userbyid(datdba), 'acl',
       ARRAY(SELECT unnest(datacl)::text ORDER BY 1)::text), xmin::text
  FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"""
_SCHEMA = "SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'"


def _role(**more: Any) -> dict[str, Any]:
    return {"login": True, "inherit": True, "createdb": False, "limit": -1, "groups": [], "password": False, **more}


class PostgresSubject(AdoptableSubject, AilingSubject):
    kind = "postgres"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "no YAML": {**_FIRST, "roles.yaml": b"a: [b\n"},
        "a field that there is not": {**_FIRST, "roles.yaml": b"app: {logn: true}\n"},
        "a superuser": {**_FIRST, "roles.yaml": b"app: {superuser: true}\n"},
        "PostgreSQL's own": {**_FIRST, "roles.yaml": b"pg_monitor: {}\n"},
        "no such role": {**_FIRST, "databases.yaml": b"app: {owner: nobody}\n"},
        "no such privilege": {**_FIRST, "databases.yaml": b"app: {owner: app, grants: {readers: [select]}}\n"},
        "a member of itself": {**_FIRST, "roles.yaml": b"app: {member_of: [readers]}\nreaders: {member_of: [app]}\n"},
        "a password in plain text": {**_FIRST, "roles.yaml": b"app: {password: hunter2hunter2}\n"},
        "declared twice": {**_FIRST, "roles-more.yaml": b"app: {}\n"},
        "a file of no type": {**_FIRST, "role.sql": b"DROP ROLE app;"},
        "no moment": {**_FIRST, "roles.yaml": b"app: {valid_until: 2030-01-01}\n"},
    }

    def __init__(self, directory: Path, server: PostgresServer, password_file: Path) -> None:
        super().__init__(directory)
        self._server = server
        self._password_file = password_file
        server.do("CREATE ROLE elses PASSWORD 'somebody-elses'", "CREATE DATABASE elses OWNER elses")

    def settings(self) -> dict[str, Any]:
        table = {"port": self._server.port, "password_file": str(self._password_file), "timeout": 2, "secrets": ["file:*"]}
        return {**table, "allow_destroy": False}

    def look(self) -> Mapping[str, Seen]:
        seen = {name: Seen(content, version) for name, content, version in self._server.rows(_CONTENT)}
        if "database:app" in seen:
            found, version = seen["database:app"]
            schema = self._server.rows(_SCHEMA, database="app")[0][0]
            seen["database:app"] = Seen({**found, "schema": schema}, (version, schema))
        return seen

    def expected(self, files: Files) -> Mapping[str, Any]:
        second = files == _SECOND
        limit = -1 if files == _WITHOUT else 20
        acl = "{app=CTc/app,dev=Tc/app,readers=c/app}" if second else "{app=CTc/app,readers=c/app}"
        usage = "readers=U/pg_database_owner" if second else "=U/pg_database_owner"
        found = {
            "role:app": _role(limit=limit, groups=[] if second else ["readers"], password=b"password" in files["roles.yaml"]),
            "role:readers": _role(login=False),
            "database:app": {"owner": "app", "acl": acl, "schema": f"{{pg_database_owner=UC/pg_database_owner,{usage}}}"},
        }
        return {**found, "role:dev": _role(createdb=True, inherit=False)} if second else {**found, "role:old": _role()}

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"role:elses", "database:elses"})

    def tamper(self) -> None:
        self._server.do("GRANT CONNECT ON DATABASE app TO PUBLIC")

    def vandalise(self) -> None:
        self._server.do("DROP ROLE old")

    def plant(self, files: Files) -> None:
        self._server.do(
            "CREATE ROLE readers",
            "CREATE ROLE old LOGIN",
            "CREATE ROLE app LOGIN CONNECTION LIMIT 20 IN ROLE readers",
            "CREATE DATABASE app OWNER app",
            "REVOKE ALL ON DATABASE app FROM PUBLIC",
            "GRANT CONNECT ON DATABASE app TO readers",
            "GRANT app TO gitops_agent",
        )

    @contextmanager
    def ailing(self) -> Iterator[None]:
        self._server.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.process.send_signal(signal.SIGCONT)

    def with_secret(self, placeholder: str) -> Files:
        password = f"app: {{connection_limit: 20, member_of: [readers], password: '{placeholder}'}}\n".encode()
        return {**_FIRST, "roles.yaml": _FIRST["roles.yaml"].replace(_APP, password)}

    def writes(self) -> int:
        return self._server.writes()


class TestPostgres(Conformance, Adoption, Sickness):
    @pytest.fixture
    def subject(self, tmp_path: Path, postgres: PostgresServer, password_file: Path) -> PostgresSubject:
        return PostgresSubject(tmp_path, postgres, password_file)

    def test_neither_password_nor_hash_is_in_the_servers_log(self, subject: PostgresSubject, postgres: PostgresServer) -> None:
        """Failure mode 59. With log_statement = all, what was sent is seen there: a verifier, never the password."""
        self.test_a_secret_is_applied_kept_and_never_shown(subject)
        assert postgres.logs_in("app", "canary-after-rotation", "app")
        assert not postgres.logs_in("app", CANARY, "app")
        assert "PASSWORD 'SCRAM-SHA-256$4096:" in postgres.log
        assert CANARY not in postgres.log
