"""What a role has: objects it owns, and privileges on others' objects, in every database (`pg_shdepend`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gitops_agent.targets.postgres.session import Session

_OWNED = """
SELECT r.rolname::text, coalesce(inside.datname, whole.datname, '')::text
  FROM pg_shdepend d
  JOIN pg_roles r ON r.oid = d.refobjid
  LEFT JOIN pg_database inside ON inside.oid = d.dbid
  LEFT JOIN pg_database whole ON d.dbid = 0 AND d.classid = 'pg_database'::regclass AND whole.oid = d.objid
 WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o'"""
_DATABASES = """
SELECT DISTINCT coalesce(b.datname, current_database())::text
  FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid LEFT JOIN pg_database b ON b.oid = d.dbid
 WHERE d.refclassid = 'pg_authid'::regclass AND r.rolname = %s ORDER BY 1"""
_HERE = """
SELECT EXISTS (SELECT FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
 WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND r.rolname = %s
   AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))"""


@dataclass(frozen=True)
class Holdings:
    """As last looked at."""

    owned: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By role: the databases it owns or owns something in; an empty name for what lies in none."""

    @classmethod
    def look(cls, session: Session) -> Holdings:
        owned: dict[str, frozenset[str]] = {}
        for role, database in session.rows(_OWNED):
            owned[role] = owned.get(role, frozenset()) | {database}
        return cls(owned)

    def of(self, role: str, without: Collection[str]) -> frozenset[str]:
        """Where it owns something, but for databases that go as well."""
        return self.owned.get(role, frozenset()).difference(without)

    @staticmethod
    def databases(session: Session, role: str) -> list[str] | None:
        """Where it has anything now, privileges included. None for a role that there is not."""
        if not session.rows("SELECT FROM pg_roles WHERE rolname = %s", role):
            return None
        return [name for (name,) in session.rows(_DATABASES, role)]

    @staticmethod
    def owns_here(session: Session, role: str) -> bool:
        return bool(session.value(_HERE, role))
