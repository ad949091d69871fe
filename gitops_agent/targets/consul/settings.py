"""What agent.toml says of a Consul target."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from gitops_agent.system_target import ApiSettings

RECORDS = "gitops-agent/"
"""Where the records of owned keys lie; no target may keep its keys here."""


class ConsulSettings(ApiSettings):
    """`kind = "consul"`"""

    labels = ("kv", "policy", "role", "auth-method", "binding-rule", "token", "config", "node")

    address: str = "http://127.0.0.1:8500"
    """Address of any Consul agent of the datacenter: `http://consul:8500`, `https://consul.example.org`."""
    token_file: Path | None = None
    """File with the agent's ACL token; read again when it changes. Unset: no token, whatever the environment holds."""
    preview_token_file: Path | None = None
    """File with a token that may read what this target owns, and no more: with it previews of pull requests
    are planned against the live system. Unset: they are compared with the branch."""
    datacenter: str = Field(default="", pattern=r"^[A-Za-z0-9_-]*$")
    """Datacenter to work in; that of the Consul agent unless set."""
    prefix: str = ""
    """Where the keys live: `mini/`. The environment's name unless set. Names in the repository are below it."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["kv:*", "policy:shop-*"]`. For a Consul that several
    environments share."""
    token_directory: Path | None = None
    """Directory for the secrets of the tokens that the repository declares, one file a token, 0600. Unset: they stay in Consul."""

    @field_validator("prefix")
    @classmethod
    def _prefix(cls, prefix: str) -> str:
        if prefix and not re.fullmatch(r"([^/\s]+/)+", prefix):
            raise ValueError("must end with a slash and not begin with one: mini/")
        return prefix

    @model_validator(mode="after")
    def _not_the_records(self) -> Self:
        if self.prefix.startswith(RECORDS):
            raise ValueError(f"prefix {self.prefix!r} is where the agent keeps its records")
        return self
