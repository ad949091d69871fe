"""What the folder says: `certificates.yaml`.

authority: {name: mini-cloud, days: 3650}        only where the agent is to make one
certificates:
  git.mini.test: {names: [git.mini.test, 10.0.0.7], days: 90}
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field, field_validator

from gitops_agent.declared import Declaration, read
from gitops_agent.document import Document
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files, Origin, Resource

FILE = "certificates.yaml"
AUTHORITY = "authority"
PREFIX = "certificate:"
VALID = "valid"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,200}")
_RESERVED = re.compile(r"ca|.*-key")
"""`ca.pem` is the authority's, and `NAME-key.pem` a key's."""
_HOST = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


class Authority(Declaration):
    name: str = Field(min_length=1, max_length=64)
    days: int = Field(default=3650, ge=30, le=36500)


class Certificate(Declaration):
    """`names`: host names, with `*.` for one label, and addresses; its own name unless given."""

    names: tuple[str, ...] = ()
    days: int = Field(default=90, ge=1, le=825)  # more is not trusted by Apple's systems
    client: bool = False
    provided: bool = False

    @field_validator("names")
    @classmethod
    def _hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(host, names))


def host(name: str) -> str:
    """In the form in which names are compared. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        lower = name.lower().rstrip(".")
        if not _HOST.fullmatch(lower) or len(lower) > 253:
            raise ValueError(f"{name!r} is neither a host name nor an address") from None
        return lower


def parse(files: Files, only: tuple[str, ...]) -> Iterator[Resource]:
    """The authority first. Raises InvalidRevision."""
    if FILE not in files:
        raise InvalidRevision("is missing", file=FILE)
    document = Document(FILE, files[FILE])
    parts = {entry.name: entry for entry in document.entries(document.root)}
    for name, entry in parts.items():
        if name not in (AUTHORITY, "certificates"):
            raise InvalidRevision(f"{name} is not known here: authority, certificates", file=FILE, line=entry.line)
    certificates = [*_certificates(document, parts["certificates"].node, only)] if "certificates" in parts else []
    if AUTHORITY in parts:
        origin = Origin(FILE, parts[AUTHORITY].line)
        made = read(document, parts[AUTHORITY].node, Authority, origin)
        yield Resource(AUTHORITY, {**made.model_dump(), "state": VALID}, origin=origin)
    elif any(not certificate.spec["provided"] for certificate in certificates):
        yield Resource(AUTHORITY, {"state": VALID}, origin=Origin(FILE))
    yield from certificates


def _certificates(document: Document, node: Any, only: tuple[str, ...]) -> Iterator[Resource]:
    for entry in document.entries(node):
        origin = Origin(FILE, entry.line)
        if not _NAME.fullmatch(entry.name) or _RESERVED.fullmatch(entry.name):
            raise InvalidRevision(f"{entry.name!r} cannot be a name here: it becomes that of a file", file=FILE, line=entry.line)
        value = read(document, entry.node, Certificate, origin)
        try:
            names = value.names or (host(entry.name),)
        except ValueError as error:
            raise InvalidRevision(f"{error}; give it `names`", file=FILE, line=entry.line) from None
        foreign = [name for name in names if not any(fnmatchcase(name, pattern) for pattern in only)]
        if foreign:
            message = f"{entry.name}: agent.toml lets no certificate be for {foreign[0]}"
            raise InvalidRevision(message, file=FILE, line=entry.line)
        spec = {**value.model_dump(), "names": sorted({*names}), "state": VALID}
        yield Resource(f"{PREFIX}{entry.name}", spec, origin=origin)
