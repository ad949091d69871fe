"""What agent.toml says of a Consul target."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gitops_agent.target import Target

LABELS = ("kv", "policy", "role", "auth-method", "binding-rule", "token", "config", "node")
"""What stands before the colon in the names of resources."""
RECORDS = "gitops-agent/"
"""Where the records of owned keys lie; no target may keep its keys here."""


class ConsulSettings(Target.Settings):
    """`kind = "consul"`"""

    address: str = "http://127.0.0.1:8500"
    """Address of any Consul agent of the datacenter: `http://consul:8500`, `https://consul.example.org`."""
    token_file: Path | None = None
    """File with the agent's ACL token; read again when it changes. Unset: no token, whatever the environment holds."""
    preview_token_file: Path | None = None
    """File with a token that may read what this target owns, and no more: with it previews of pull requests
    are planned against the live system. Unset: they are compared with the branch."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the usual public ones unless set."""
    datacenter: str = Field(default="", pattern=r"^[A-Za-z0-9_-]*$")
    """Datacenter to work in; that of the Consul agent unless set."""
    prefix: str = ""
    """Where the keys live: `mini/`. The environment's name unless set. Names in the repository are below it."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["kv:*", "policy:shop-*"]`. For a Consul that several
    environments share."""
    token_directory: Path | None = None
    """Directory for the secrets of the tokens that the repository declares, one file a token, 0600. Unset: they stay in Consul."""

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("must be an address such as http://consul:8500, without user or token")
        return address.rstrip("/")

    @field_validator("prefix")
    @classmethod
    def _prefix(cls, prefix: str) -> str:
        if prefix and not re.fullmatch(r"([^/\s]+/)+", prefix):
            raise ValueError("must end with a slash and not begin with one: mini/")
        return prefix

    @field_validator("only")
    @classmethod
    def _only(cls, only: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in only:
            if pattern != "*" and pattern.partition(":")[0] not in LABELS:
                raise ValueError(f"{pattern!r} must be * or begin with one of {', '.join(f'{label}:' for label in LABELS)}")
        return only

    def allows(self, name: str) -> bool:
        """Whether `only` lets this target own a resource of that name."""
        return self.only == ("*",) or any(fnmatchcase(name, pattern) for pattern in self.only)

    @model_validator(mode="after")
    def _not_the_records(self) -> Self:
        if self.prefix.startswith(RECORDS):
            raise ValueError(f"prefix {self.prefix!r} is where the agent keeps its records")
        return self
