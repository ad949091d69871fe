"""Databases: owner, encoding, who may connect, and the schemas that matter for that.

CREATE DATABASE cannot be part of a transaction. So a database is made under a name of the agent's own and, in one transaction,
marked, closed to the public and given its name: nobody meets a half-made one, and a killed run leaves nothing that looks like
somebody else's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_agent.errors import Conflict, Unavailable
from gitops_agent.model import Change, Resource
from gitops_agent.targets.postgres import grants
from gitops_agent.targets.postgres.declared import both_locales, normal_encoding
from gitops_agent.targets.postgres.mark import Mark
from gitops_agent.targets.postgres.roles import become_member
from gitops_agent.targets.postgres.session import Name, Server, Session

_DATABASES = """
SELECT datname::text, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba)::text, pg_encoding_to_char(encoding)::text,
       datcollate::text, datctype::text, datconnlimit, has_database_privilege(oid, 'CONNECT')
  FROM pg_database WHERE NOT datistemplate"""
_SCHEMAS = "SELECT nspname::text, pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = ANY(%s)"
_UNTOUCHED = {"public": {"owner": "pg_database_owner", "grants": {"public": ["usage"]}}}


class Databases:
    label = "database"

    def __init__(self, server: Server, mark: Mark) -> None:
        self._server = server
        self._mark = mark
        self._staged = f"gitops_agent_{hashlib.sha256(mark.owner.encode()).hexdigest()[:16]}"

    def observe(self, session: Session, desired: Mapping[str, Resource]) -> Iterator[Resource]:
        """What there is under a desired name, and what carries the mark."""
        access = grants.read(session, grants.DATABASES)
        for name, comment, owner, encoding, collate, ctype, limit, open_ in session.rows(_DATABASES):
            resource = f"database:{name}"
            wanted = desired.get(resource)
            owned = self._mark.is_in(comment)
            if name == self._staged or (wanted is None and not owned):
                continue
            spec: dict[str, Any] = {
                "owner": owner,
                "encoding": normal_encoding(encoding),
                "connection_limit": limit,
                "grants": access.get(name, {}),
            }
            version = _version(spec, comment)
            if wanted is not None:
                if not open_:
                    raise Unavailable(self._closed(resource, owner))
                with self._server.session(name) as inside:
                    spec["schemas"] = _schemas(inside, wanted.spec["schemas"])
                if "locale" in wanted.spec:
                    spec["locale"] = both_locales(collate, ctype)
            yield Resource(resource, spec, version=version, owned=owned)

    def _closed(self, resource: str, owner: str) -> str:
        if self._server.reads_only:
            return f"postgres: the role for previews may not connect to {resource}: declare `connect` for it among its grants"
        return f"postgres: the agent may not connect to {resource}: GRANT its owner, {owner}, to the agent"

    def put(self, change: Change) -> None:
        name, wanted = change.name.removeprefix("database:"), change.resource.spec
        with self._server.session(during=f"{change.action} {change.name}") as session:
            become_member(session, wanted["owner"])
            if change.before is None:
                self._create(session, name, wanted)
            else:
                self._update(session, name, change.before, wanted)
        live = _UNTOUCHED if change.before is None else change.before.spec["schemas"]
        if live != wanted["schemas"]:
            with self._server.session(name, during=f"{change.action} schemas of {change.name}") as inside, inside.transaction():
                _put_schemas(inside, wanted["schemas"])

    def delete(self, change: Change) -> None:
        """Refused by PostgreSQL while somebody is connected."""
        name = change.name.removeprefix("database:")
        with self._server.session(during=f"drop {change.name}") as session:
            found = self._look(session, name)
            if found is None:
                return
            if change.before is None or found[1] != change.before.version:
                raise Conflict(f"postgres: {change.name} changed since it was looked at")
            session.do("DROP DATABASE {}", Name(name))

    def clean(self, session: Session) -> None:
        """Away with what a killed run left: nothing of anybody's was ever in it."""
        if self._look(session, self._staged) is not None:
            session.do("DROP DATABASE {}", Name(self._staged))

    def _create(self, session: Session, name: str, wanted: Mapping[str, Any]) -> None:
        self.clean(session)
        locale = (" LOCALE {}", (wanted["locale"],)) if "locale" in wanted else ("", ())
        session.do(
            # Of the two templates, the one to which nobody ever added anything.
            f"CREATE DATABASE {{}} OWNER {{}} TEMPLATE template0 ENCODING {{}} CONNECTION LIMIT {{}}{locale[0]}",
            *(Name(self._staged), Name(wanted["owner"]), wanted["encoding"], wanted["connection_limit"], *locale[1]),
        )
        with session.transaction():
            self._mark.put(session, "DATABASE", self._staged)
            live = grants.read(session, grants.DATABASES).get(self._staged, {})
            grants.write(session, "DATABASE", self._staged, live, wanted["grants"])
            session.do("ALTER DATABASE {} RENAME TO {}", Name(self._staged), Name(name))

    def _update(self, session: Session, name: str, before: Resource, wanted: Mapping[str, Any]) -> None:
        become_member(session, before.spec["owner"])
        with session.transaction():
            found = self._look(session, name)
            if found is None or found[1] != before.version:
                raise Conflict(f"postgres: database:{name} changed since it was looked at")
            self._mark.put(session, "DATABASE", name, found[0])
            if before.spec["owner"] != wanted["owner"]:
                session.do("ALTER DATABASE {} OWNER TO {}", Name(name), Name(wanted["owner"]))
            if before.spec["connection_limit"] != wanted["connection_limit"]:
                session.do("ALTER DATABASE {} CONNECTION LIMIT {}", Name(name), wanted["connection_limit"])
            # Read again: a new owner has changed it.
            live = grants.read(session, grants.DATABASES).get(name, {})
            grants.write(session, "DATABASE", name, live, wanted["grants"])

    def _look(self, session: Session, name: str) -> tuple[str | None, str] | None:
        """Comment and version of one, None where there is none."""
        rows = session.rows(f"{_DATABASES} AND datname = %s", name)
        if not rows:
            return None
        (_, comment, owner, encoding, _, _, limit, _) = rows[0]
        access = grants.read(session, grants.DATABASES).get(name, {})
        spec = {"owner": owner, "encoding": normal_encoding(encoding), "connection_limit": limit, "grants": access}
        return comment, _version(spec, comment)


def _version(spec: Mapping[str, Any], comment: str | None) -> str:
    return hashlib.sha256(repr((sorted(spec.items()), comment)).encode()).hexdigest()[:16]


def _schemas(session: Session, wanted: Mapping[str, Any]) -> dict[str, Any]:
    access = grants.read(session, grants.SCHEMAS)
    rows = session.rows(_SCHEMAS, [*wanted])
    return {name: {"owner": owner, "grants": access.get(name, {})} for name, owner in sorted(rows)}


def _put_schemas(session: Session, wanted: Mapping[str, Any]) -> None:
    live = _schemas(session, wanted)
    for name, schema in wanted.items():
        if name not in live:
            session.do("CREATE SCHEMA {} AUTHORIZATION {}", Name(name), Name(schema["owner"]))
        elif live[name]["owner"] != schema["owner"]:
            session.do("ALTER SCHEMA {} OWNER TO {}", Name(name), Name(schema["owner"]))
    for name, found in _schemas(session, wanted).items():
        if found["grants"] != wanted[name]["grants"]:
            grants.write(session, "SCHEMA", name, found["grants"], wanted[name]["grants"])
