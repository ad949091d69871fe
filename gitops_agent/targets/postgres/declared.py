"""What the folder says: `roles.yaml` and `databases.yaml`."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from gitops_agent import secret
from gitops_agent.declared import Declaration, Declared, declared
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Resource

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$.-]{0,62}")
_RESERVED = re.compile(r"pg_.*|public|none|postgres|template[01]")
_DATABASE_PRIVILEGES = ("connect", "create", "temporary")
_SCHEMA_PRIVILEGES = ("create", "usage")

DatabasePrivilege: TypeAlias = Literal["connect", "create", "temporary"]
SchemaPrivilege: TypeAlias = Literal["create", "usage"]


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("must say its time zone: 2030-01-01T00:00:00Z")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Role(Declaration):
    """`roles.yaml`: a role, or with `login` what others call a user."""

    login: bool = True
    password: str | None = None
    keep_password: bool = False
    inherit: bool = True
    createdb: bool = False
    createrole: bool = False
    replication: bool = False
    bypassrls: bool = False
    connection_limit: int = Field(default=-1, ge=-1)
    valid_until: Annotated[str | None, AfterValidator(_moment)] = None
    member_of: tuple[str, ...] = ()

    def spec(self) -> dict[str, Any]:
        """Without `password` where that is left alone."""
        unsaid = {"keep_password", *(["password"] if self.keep_password else [])}
        # Nobody becomes superuser from git; and who became it otherwise is seen.
        return {**self.model_dump(exclude=unsaid), "member_of": sorted({*self.member_of}), "superuser": False}


class Schema(Declaration):
    owner: str = "pg_database_owner"
    grants: Mapping[str, tuple[SchemaPrivilege, ...]] = Field(default_factory=dict)


PUBLIC_SCHEMA = Schema(grants={"public": ("usage",)})
"""What PostgreSQL (15 and later) puts into every new database."""


class Database(Declaration):
    """`databases.yaml`."""

    owner: str
    encoding: str = "UTF8"
    locale: str | None = None
    connection_limit: int = Field(default=-1, ge=-1)
    grants: Mapping[str, tuple[DatabasePrivilege, ...]] = Field(default_factory=dict)
    schemas: Mapping[str, Schema] = Field(default_factory=dict)

    def spec(self) -> dict[str, Any]:
        schemas = {"public": PUBLIC_SCHEMA, **self.schemas}
        spec: dict[str, Any] = {
            "owner": self.owner,
            "encoding": normal_encoding(self.encoding),
            "connection_limit": self.connection_limit,
            "grants": plain_grants(self.grants, self.owner),
            "schemas": {
                name: {"owner": schema.owner, "grants": plain_grants(schema.grants, schema.owner)}
                for name, schema in sorted(schemas.items())
            },
        }
        return spec if self.locale is None else {**spec, "locale": normal_locale(self.locale)}


def normal_encoding(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper()).replace("UNICODE", "UTF8")


def normal_locale(name: str) -> str:
    """`C.UTF-8` and `C.utf8` are one."""
    language, dot, encoding = name.partition(".")
    return f"{language}{dot}{re.sub('[^a-z0-9]', '', encoding.lower())}"


def both_locales(collate: str, ctype: str) -> str:
    """As one, which they are where people did not say otherwise."""
    return " ".join(dict.fromkeys(map(normal_locale, (collate, ctype))))


def plain_grants(grants: Mapping[str, Any], owner: str) -> dict[str, list[str]]:
    """By grantee, sorted. What the owner may do anyway is nobody's business here."""
    return {grantee: sorted({*grants[grantee]}) for grantee in sorted(grants) if grants[grantee] and grantee != owner}


def parse(files: Files, key: bytes) -> Iterator[Resource]:
    """Roles before what needs them. Raises InvalidRevision."""
    roles = {role.name: role for role in _named(files, "roles", Role)}
    yield from (_role(role, key) for role in _in_order(roles))
    for database in _named(files, "databases", Database):
        spec = database.value.spec()
        yield Resource(f"database:{database.name}", spec, origin=database.origin)


def _named(files: Files, what: str, model: type[Any]) -> Iterator[Declared[Any]]:
    chosen = {path: content for path, content in files.items() if re.fullmatch(rf"{what}(-[^/]+)?\.ya?ml", path)}
    seen: dict[str, Declared[Any]] = {}
    for found in declared(chosen, model, _NAME):
        if _RESERVED.fullmatch(found.name):
            raise InvalidRevision.at(f"{found.name} is PostgreSQL's own", found.origin)
        if found.name in seen:
            raise InvalidRevision.at(f"{found.name} is declared twice; the other is in {seen[found.name].origin}", found.origin)
        seen[found.name] = found
    yield from seen.values()


def _role(role: Declared[Role], key: bytes) -> Resource:
    password = role.value.password
    if password is not None and not secret.references(password, key):
        message = "password: write a reference, {{ secret('file:…') }}: who reads the repository shall not know it"
        raise InvalidRevision.at(message, role.origin)
    if password is not None and role.value.keep_password:
        raise InvalidRevision.at("keep_password leaves alone what password would set: write one of them", role.origin)
    return Resource(f"role:{role.name}", role.value.spec(), origin=role.origin)


def _in_order(roles: Mapping[str, Declared[Role]]) -> Iterator[Declared[Role]]:
    """Groups before their members."""
    needs = {name: [group for group in role.value.member_of if group in roles] for name, role in roles.items()}
    try:
        yield from (roles[name] for name in graphlib.TopologicalSorter(needs).static_order())
    except graphlib.CycleError as error:
        around: list[str] = error.args[1]
        origin = roles[around[0]].origin
        message = f"{' is a member of '.join(reversed(around))}: nothing can be a member of itself"
        raise InvalidRevision.at(message, origin) from None


def mentioned(resource: Resource) -> Iterator[str]:
    """The roles that a spec names."""
    spec = resource.spec
    yield from spec.get("member_of", ())
    for part in (spec, *spec.get("schemas", {}).values()):
        if "owner" in part:
            yield part["owner"]
        yield from (grantee for grantee in part.get("grants", ()) if grantee != "public")
