"""Access lists of databases and schemas, read whole and changed by grantee: what nobody declared is taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gitops_agent.targets.postgres.session import Name, Session

EVERYBODY = "public"
DATABASES = """
SELECT d.datname::text, coalesce(g.rolname, 'public')::text, lower(a.privilege_type), a.is_grantable
  FROM pg_database d CROSS JOIN aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
  LEFT JOIN pg_roles g ON g.oid = a.grantee
 WHERE a.grantee <> d.datdba"""
SCHEMAS = """
SELECT n.nspname::text, coalesce(g.rolname, 'public')::text, lower(a.privilege_type), a.is_grantable
  FROM pg_namespace n CROSS JOIN aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
  LEFT JOIN pg_roles g ON g.oid = a.grantee
 WHERE a.grantee <> n.nspowner"""


def read(session: Session, query: str) -> dict[str, dict[str, list[str]]]:
    """By object, by grantee, sorted; a privilege that may be passed on is another than one that may not."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, grantee, privilege, passed_on in session.rows(f"{query} ORDER BY 1, 2, 3"):
        found.setdefault(name, {}).setdefault(grantee, []).append(f"{privilege} with grant option" if passed_on else privilege)
    return found


def write(
    session: Session,
    what: Literal["DATABASE", "SCHEMA"],
    name: str,
    live: Mapping[str, list[str]],
    wanted: Mapping[str, list[str]],
) -> None:
    """In a transaction: nobody ever sees less than both."""
    for grantee in sorted({*live, *wanted}):
        if live.get(grantee) == wanted.get(grantee):
            continue
        # PUBLIC is a word of the language; in quotes it would be a role.
        placeholder, names = ("PUBLIC", ()) if grantee == EVERYBODY else ("{}", (Name(grantee),))
        session.do(f"REVOKE ALL ON {what} {{}} FROM {placeholder}", Name(name), *names)
        if grantee in wanted:
            privileges = ", ".join(wanted[grantee]).upper()
            session.do(f"GRANT {privileges} ON {what} {{}} TO {placeholder}", Name(name), *names)
