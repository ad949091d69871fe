"""What agent.toml says of a Nomad target."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gitops_agent.system_target import ApiSettings


class NomadSettings(ApiSettings):
    """`kind = "nomad"`"""

    labels = ("namespace", "policy", "role", "variable", "job")

    address: str = "http://127.0.0.1:4646"
    """Address of any Nomad agent of the region: `http://nomad:4646`, `https://nomad.example.org`."""
    token_file: Path | None = None
    """File with the agent's ACL token; read again when it changes. Unset: no token, whatever the environment holds."""
    namespace: str = Field(default="default", pattern=r"^[a-zA-Z0-9-]{1,128}$")
    """The namespace of all jobs and variables of this target, and of the record of which are the agent's. It must exist, or be
    declared in the folder."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["job:shop-*"]`. For a Nomad that several environments
    share."""
    allow_destroy: bool = False
    """Namespaces that are no longer declared may be deleted, each time with consent to that very plan. Without it they are left."""
