"""What agent.toml says of a Concourse target."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import field_validator

from gitops_agent.target import Target

LABELS = ("pipeline", "order")
"""What stands before the colon in the names of resources."""


class ConcourseSettings(Target.Settings):
    """`kind = "concourse"`"""

    address: str = "http://127.0.0.1:8080"
    """Address of Concourse's web node: `http://concourse:8080`, `https://ci.example.org`."""
    username: str = "gitops-agent"
    """A local user (`--add-local-user`), `local:NAME` among the members of the teams."""
    client: str = ""
    """A client (`--add-client`), `client:NAME` among the members of the teams; logs in instead of a user where set."""
    password_file: Path = Path("/run/secrets/concourse_password")
    """File with the user's password or the client's secret; read again at each login."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the usual public ones unless set."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["pipeline:main/shop-*", "order:main"]`. For a Concourse
    that several environments share."""
    allow_destroy: bool = False
    """A pipeline that is no longer declared is destroyed with all its builds, each time with consent to that very plan. Without it
    pipelines are archived."""

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("must be an address such as http://concourse:8080, without user or token")
        return address.rstrip("/")

    @field_validator("only")
    @classmethod
    def _only(cls, only: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in only:
            if pattern != "*" and pattern.partition(":")[0] not in LABELS:
                raise ValueError(f"{pattern!r} must be * or begin with pipeline: or order:")
        return only

    def allows(self, name: str) -> bool:
        """Whether `only` lets this target own a resource of that name."""
        return any(fnmatchcase(name, pattern) for pattern in self.only)
