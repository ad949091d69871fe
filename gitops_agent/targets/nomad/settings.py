"""What agent.toml says of a Nomad target."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from gitops_agent.target import Target

LABELS = ("namespace", "policy", "role", "variable", "job")
"""What stands before the colon in the names of resources."""


class NomadSettings(Target.Settings):
    """`kind = "nomad"`"""

    address: str = "http://127.0.0.1:4646"
    """Address of any Nomad agent of the region: `http://nomad:4646`, `https://nomad.example.org`."""
    token_file: Path | None = None
    """File with the agent's ACL token; read again when it changes. Unset: no token, whatever the environment holds."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the usual public ones unless set."""
    namespace: str = Field(default="default", pattern=r"^[a-zA-Z0-9-]{1,128}$")
    """The namespace of all jobs and variables of this target, and of the record of which are the agent's. It must exist, or be
    declared in the folder."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["job:shop-*"]`. For a Nomad that several environments
    share."""
    allow_destroy: bool = False
    """Namespaces that are no longer declared may be deleted, each time with consent to that very plan. Without it they are left."""

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("must be an address such as http://nomad:4646, without user or token")
        return address.rstrip("/")

    @field_validator("only")
    @classmethod
    def _only(cls, only: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in only:
            if pattern != "*" and pattern.partition(":")[0] not in LABELS:
                raise ValueError(f"{pattern!r} must be * or begin with one of {', '.join(f'{label}:' for label in LABELS)}")
        return only

    def allows(self, name: str) -> bool:
        """Whether `only` lets this target own a resource of that name."""
        return any(fnmatchcase(name, pattern) for pattern in self.only)
