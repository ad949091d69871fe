"""What agent.toml says of a PostgreSQL target."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field, field_validator

from gitops_agent.target import Target

LABELS = ("role", "database")
"""What stands before the colon in the names of resources."""


class PostgresSettings(Target.Settings):
    """`kind = "postgres"`"""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Name or address of the server, or the directory of its socket: `postgres`, `/run/postgresql`."""
    port: int = Field(default=5432, ge=1, le=65535)
    """Its port."""
    user: str = Field(default="gitops_agent", min_length=1)
    """The agent's own role. No plan may change it."""
    password_file: Path | None = None
    """File with its password; read at every connection. Unset: none, whatever the environment and `~/.pgpass` hold."""
    database: str = Field(default="postgres", min_length=1)
    """The database the agent connects to, and where postgres-role.sql was run. No plan may change it."""
    ca_file: Path | None = None
    """CA certificates (PEM): the server must show a certificate of theirs for `host`. Unset: TLS where the server offers it,
    without looking at the certificate."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["role:shop*", "database:shop*"]`. For a server that
    several environments share."""
    allow_destroy: bool = False
    """Databases, and roles that own something, may be dropped when they are no longer declared, with all they hold, each time with
    consent to that very plan. Without it they are left."""

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
