"""What agent.toml says of a Vault target."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from gitops_agent.system_target import ApiSettings


class VaultSettings(ApiSettings):
    """`kind = "vault"`"""

    labels = ("engine", "auth", "policy", "path", "audit", "kv", "token")

    address: str = "http://127.0.0.1:8200"
    """Address of Vault or OpenBao: `http://vault:8200`, `https://vault.example.org`."""
    token_file: Path | None = None
    """File with the agent's token; read again when it changes. Or else `role_id` and `secret_id_file`."""
    role_id: str = ""
    """Role id of the agent's AppRole."""
    secret_id_file: Path | None = None
    """File with its secret id. The agent logs in once, and renews its token for as long as Vault lets it."""
    auth_path: str = Field(default="approle", pattern=r"^[^/\s]+(/[^/\s]+)*$")
    """Where AppRole is mounted, below `auth/`."""
    preview_token_file: Path | None = None
    """File with a token that may read what this target owns, and no more: with it previews of pull requests
    are planned against the live system. Unset: they are compared with the branch."""
    token_directory: Path | None = None
    """Directory for the tokens that `tokens.yaml` declares, one file a token, 0600. Let it be the agent's `secrets.directory`: then
    other targets find them by `secret("file:NAME")`."""
    unseal_keys_file: Path | None = None
    """File with the keys that unseal Vault, as `vault operator init -format=json` prints them: with it the agent opens a Vault
    that it finds sealed. Whoever reads this file can read all that Vault keeps. Unset, a person unseals."""
    record: str = Field(default="gitops-agent", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """KV version 2 mount for the records of what is owned, and nothing else; made at the first write when it is not there."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["policy:shop-*", "kv:kv/shop/*"]`. For a Vault that
    several environments share."""
    allow_destroy: bool = False
    """Secrets engines and auth methods that are no longer declared may be disabled, which destroys all they hold, each time with
    consent to that very plan. Without it they are left."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if bool(self.role_id) != (self.secret_id_file is not None):
            raise ValueError("role_id and secret_id_file go together")
        if self.token_file is not None and self.secret_id_file is not None:
            raise ValueError("token_file or secret_id_file, not both")
        return self
