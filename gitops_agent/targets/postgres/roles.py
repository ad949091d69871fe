"""Roles: attributes, password, memberships."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Conflict, Unavailable
from gitops_agent.model import Change, Resource
from gitops_agent.targets.postgres import scram
from gitops_agent.targets.postgres.holdings import Holdings
from gitops_agent.targets.postgres.mark import Mark
from gitops_agent.targets.postgres.session import Name, Server, Session

_ATTRIBUTES: Mapping[str, tuple[str, str]] = {
    "superuser": ("rolsuper", "SUPERUSER"),
    "login": ("rolcanlogin", "LOGIN"),
    "inherit": ("rolinherit", "INHERIT"),
    "createdb": ("rolcreatedb", "CREATEDB"),
    "createrole": ("rolcreaterole", "CREATEROLE"),
    "replication": ("rolreplication", "REPLICATION"),
    "bypassrls": ("rolbypassrls", "BYPASSRLS"),
}
"""Column and keyword by the name used here."""
_ROLES = f"""
SELECT rolname::text, shobj_description(r.oid, 'pg_authid'), rolconnlimit,
       CASE WHEN isfinite(rolvaliduntil) THEN to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END,
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1),
       {", ".join(column for column, _ in _ATTRIBUTES.values())}
  FROM pg_roles r"""  # noqa: S608 -- columns from the table above
# The functions of postgres-role.sql where the agent is no superuser, which it should not be.
_FUNCTIONS = ("gitops_agent.password_parameters(%s)", "gitops_agent.password_is(%s, %s)")
_CATALOGUE = (
    "(SELECT substring(rolpassword FROM '^(SCRAM-SHA-256[$][0-9]+:[^$]+|md5)') FROM pg_authid WHERE rolname = %s)",
    "(SELECT rolpassword FROM pg_authid WHERE rolname = %s) = %s",
)
_ANOTHER = "(another one)"


@dataclass(frozen=True)
class _Found:
    spec: Mapping[str, Any]
    comment: str | None

    @property
    def version(self) -> str:
        return hashlib.sha256(repr((sorted(self.spec.items()), self.comment)).encode()).hexdigest()[:16]


class Roles:
    label = "role"

    def __init__(self, server: Server, mark: Mark) -> None:
        self._server = server
        self._mark = mark

    def names(self, session: Session) -> frozenset[str]:
        return frozenset(name for (name,) in session.rows("SELECT rolname::text FROM pg_roles"))

    def with_password(self, session: Session) -> frozenset[str]:
        """Raises Unavailable where the agent's role may not know."""
        parameters, _ = _password_access(session)
        return frozenset(name for name in self.names(session) if session.value(f"SELECT {parameters}", name) is not None)

    def observe(self, session: Session, desired: Mapping[str, Resource]) -> Iterator[Resource]:
        """All there are: an unmarked one may have been adopted. A password that may not be looked at is taken to be as declared."""
        asked = not self._server.reads_only and any("password" in wanted.spec for wanted in desired.values())
        access = _password_access(session) if asked else None
        for name, found in _look(session).items():
            wanted = desired.get(f"role:{name}")
            spec = {**found.spec, "password": None}
            if wanted and "password" not in wanted.spec:
                del spec["password"]
            elif wanted:
                declared = wanted.spec["password"]
                spec["password"] = _live_password(session, access, name, declared) if access else declared
            shown: Mapping[str, Any] | None = {} if spec.get("password") else None
            yield Resource(f"role:{name}", spec, shown=shown, version=found.version, owned=self._mark.is_in(found.comment))

    def put(self, change: Change) -> None:
        name, wanted = _bare(change.name), change.resource.spec
        with self._server.session(during=f"{change.action} {change.name}") as session, session.transaction():
            found = _look(session, name).get(name)
            if (found.version if found else None) != (change.before.version if change.before else None):
                raise Conflict(f"postgres: {change.name} changed since it was looked at")
            before: Mapping[str, Any] = {} if change.before is None else change.before.spec
            if found is None:
                session.do("CREATE ROLE {}", Name(name))
                found = _look(session, name)[name]
            _alter(session, name, found.spec, wanted)
            if "password" in wanted and wanted["password"] != before.get("password"):
                _set_password(session, name, wanted["password"])
            self._mark.put(session, "ROLE", name, found.comment)

    def delete(self, change: Change, holdings: Holdings) -> None:
        """With its privileges; with what it owns only where the plan says so (`destructive`)."""
        name = _bare(change.name)
        with self._server.session(during=f"drop {change.name}") as session:
            databases = holdings.databases(session, name)
            if databases is None:
                return
            for database in databases:
                become_member(session, name)
                during = f"drop what {change.name} has in {database}"
                with self._server.session(database, during=during) as inside, inside.transaction():
                    if not change.destructive and holdings.owns_here(inside, name):
                        raise Conflict(f"postgres: {change.name} has come to own something in {database}")
                    inside.do("DROP OWNED BY {}", Name(name))
            with session.transaction():
                found = _look(session, name).get(name)
                if found is None:
                    return
                if change.before is not None and found.version != change.before.version:
                    raise Conflict(f"postgres: {change.name} changed since it was looked at")
                session.do("DROP ROLE {}", Name(name))


def become_member(session: Session, role: str) -> None:
    """What belongs to a role is changed by its members only."""
    if not session.value("SELECT pg_has_role(%s, 'MEMBER')", role):
        session.do("GRANT {} TO CURRENT_USER", Name(role))


def _bare(name: str) -> str:
    return name.removeprefix("role:")


def _look(session: Session, name: str = "") -> dict[str, _Found]:
    rows = session.rows(f"{_ROLES} WHERE rolname = %s", name) if name else session.rows(_ROLES)
    found = {}
    for role, comment, limit, until, groups, *flags in rows:
        spec = {"connection_limit": limit, "valid_until": until, "member_of": sorted(groups)}
        found[role] = _Found({**spec, **dict(zip(_ATTRIBUTES, flags, strict=True))}, comment)
    return found


def _password_access(session: Session) -> tuple[str, str]:
    if session.value("SELECT to_regprocedure('gitops_agent.password_is(name,text)') IS NOT NULL"):
        return _FUNCTIONS
    if session.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        return _CATALOGUE
    raise Unavailable("postgres: the agent's role cannot compare passwords: run postgres-role.sql in its database")


def _live_password(session: Session, access: tuple[str, str], name: str, wanted: str | None) -> str | None:
    """The wanted one where it is that. No verifier leaves the server: the one made here is compared there."""
    parameters, compare = access
    kept = session.value(f"SELECT {parameters}", name)
    if kept is None:
        return None
    verifier = scram.with_parameters(wanted, kept) if wanted else None
    same = verifier is not None and session.value(f"SELECT {compare}", name, verifier)
    return wanted if same else _ANOTHER


def _set_password(session: Session, name: str, password: str | None) -> None:
    if password is None:
        session.do("ALTER ROLE {} PASSWORD NULL", Name(name))
        return
    if not scram.is_plain(password):
        raise ApplyFailed(f"postgres: the password of role:{name} has other than printable ASCII characters")
    verifier = scram.fresh(password)
    secret.remember(verifier, f"the verifier of role:{name}")
    session.do("ALTER ROLE {} PASSWORD {}", Name(name), verifier)


def _alter(session: Session, name: str, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Only what differs is mentioned: some attributes may not even be named by who is no superuser."""
    for field, (_, keyword) in _ATTRIBUTES.items():
        if live[field] != wanted[field]:
            session.do(f"ALTER ROLE {{}} {'' if wanted[field] else 'NO'}{keyword}", Name(name))
    if live["connection_limit"] != wanted["connection_limit"]:
        session.do("ALTER ROLE {} CONNECTION LIMIT {}", Name(name), wanted["connection_limit"])
    if live["valid_until"] != wanted["valid_until"]:
        session.do("ALTER ROLE {} VALID UNTIL {}", Name(name), wanted["valid_until"] or "infinity")
    for group in sorted({*wanted["member_of"]} - {*live["member_of"]}):
        session.do("GRANT {} TO {}", Name(group), Name(name))
    for group in sorted({*live["member_of"]} - {*wanted["member_of"]}):
        session.do("REVOKE {} FROM {}", Name(group), Name(name))
