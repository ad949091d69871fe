"""What agent.toml says of a Concourse target."""

from __future__ import annotations

from pathlib import Path

from gitops_agent.system_target import ApiSettings


class ConcourseSettings(ApiSettings):
    """`kind = "concourse"`"""

    labels = ("pipeline", "order")

    address: str = "http://127.0.0.1:8080"
    """Address of Concourse's web node: `http://concourse:8080`, `https://ci.example.org`."""
    username: str = "gitops-agent"
    """A local user (`--add-local-user`), `local:NAME` among the members of the teams."""
    client: str = ""
    """A client (`--add-client`), `client:NAME` among the members of the teams; logs in instead of a user where set."""
    password_file: Path = Path("/run/secrets/concourse_password")
    """File with the user's password or the client's secret; read again at each login."""
    preview_username: str = "gitops-agent-preview"
    """A local user with role `viewer` in the teams. With `preview_password_file`."""
    preview_client: str = ""
    """A client with that role; logs in instead of a user where set."""
    preview_password_file: Path | None = None
    """File with the password of `preview_username`, or the secret of `preview_client`, who may look at pipelines, and no more: with
    it previews of pull requests are planned against the live system. Unset: they are compared with the branch."""
    only: tuple[str, ...] = ("*",)
    """The only resources that this target may own, with `*` for any text: `["pipeline:main/shop-*", "order:main"]`. For a Concourse
    that several environments share."""
    allow_destroy: bool = False
    """A pipeline that is no longer declared is destroyed with all its builds, each time with consent to that very plan. Without it
    pipelines are archived."""
