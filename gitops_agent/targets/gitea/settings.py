"""What agent.toml says of a Gitea target."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from gitops_agent.target import Target

LABELS = ("organisation", "repository", "team", "key", "webhook", "protection")
"""What stands before the colon in the names of resources."""
_REPOSITORY = r"[\w.-]+/[\w.-]+"


class GiteaSettings(Target.Settings):
    """`kind = "gitea"`"""

    address: str = "http://127.0.0.1:3000"
    """Address of Gitea: `http://gitea:3000`, `https://git.example.org`."""
    token_file: Path | None = None
    """File with the agent's token; read again when it changes."""
    preview_token_file: Path | None = None
    """File with a token that may read what this target owns, and no more: with it previews of pull requests
    are planned against the live system. Unset: they are compared with the branch."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the usual public ones unless set."""
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

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("must be an address such as http://gitea:3000, without user or token")
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
        return self.only == ("*",) or any(fnmatchcase(name, pattern) for pattern in self.only)
