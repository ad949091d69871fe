"""What agent.toml says of a Gitea target."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gitops_agent.system_target import ApiSettings

_REPOSITORY = r"[\w.-]+/[\w.-]+"


class GiteaSettings(ApiSettings):
    """`kind = "gitea"`"""

    labels = ("organisation", "repository", "team", "key", "webhook", "protection")

    address: str = "http://127.0.0.1:3000"
    """Address of Gitea: `http://gitea:3000`, `https://git.example.org`."""
    token_file: Path | None = None
    """File with the agent's token; read again when it changes."""
    preview_token_file: Path | None = None
    """File with a token that may read what this target owns, and no more: with it previews of pull requests
    are planned against the live system. Unset: they are compared with the branch."""
    source: str = Field(default="", pattern=rf"^({_REPOSITORY})?$")
    """The configuration repository as this Gitea calls it, `OWNER/NAME`. Plans that would cut the agent off from it are refused."""
    record: str = Field(default="", pattern=rf"^({_REPOSITORY})?$")
    """Repository for the records of what is owned, and nothing else; `gitops-agent` of the agent's own user unless set. Made
    (private) at the first write when it is not there, which takes a token with `write:user`."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["webhook:acme/*", "team:acme/shop-*"]`. For a Gitea
    that several environments share."""
    allow_destroy: bool = False
    """Repositories and organisations that are no longer declared may be deleted with all they hold, each time with consent to that
    very plan. Without it they are left."""
