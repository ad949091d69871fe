"""What agent.toml says of a PostgreSQL target."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gitops_agent.system_target import SharedSettings


class PostgresSettings(SharedSettings):
    """`kind = "postgres"`"""

    labels = ("role", "database")

    host: str = Field(default="127.0.0.1", min_length=1)
    """Name or address of the server, or the directory of its socket: `postgres`, `/run/postgresql`."""
    port: int = Field(default=5432, ge=1, le=65535)
    """Its port."""
    user: str = Field(default="gitops_agent", min_length=1)
    """The agent's own role. No plan may change it."""
    password_file: Path | None = None
    """File with its password; read at every connection. Unset: none, whatever the environment and `~/.pgpass` hold."""
    preview_user: str = Field(default="gitops_agent_preview", min_length=1)
    """A role that may log in and owns nothing; its transactions are read-only. With `preview_password_file`."""
    preview_password_file: Path | None = None
    """File with the password of `preview_user`, a role that may read the catalogues, and no more: with it previews of pull requests
    are planned against the live system. Unset: they are compared with the branch."""
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
