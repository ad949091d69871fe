"""What agent.toml says of previews of pull requests."""

from __future__ import annotations

from pydantic import Field

from gitops_agent.target import Seconds, Table


class PreviewValidationSettings(Table):
    """`[environments.NAME.previews.validation]`: what merging each open pull request would give is validated by Concourse, by the
    task file of the branch. Where Concourse is and who logs in says `[environments.NAME.validation]`."""

    team: str = Field(min_length=1)
    """Team that the builds belong to, another than that of `[environments.NAME.validation]`: its `((vars))` may be seen by whoever
    may open pull requests. The agent needs role `member` in it."""
    pipeline: str = ""
    """Pipeline of that team that the builds are listed with; without one they belong to the team alone."""
    status: str = Field(default="concourse/validate", pattern=r"^concourse/[A-Za-z0-9/_-]+$")
    """Context of the commit status on the pull request's head. Environments that follow the same branch each need their own."""
    deadline: Seconds = Field(default=600, gt=0)
    """Seconds for one build, waiting for a worker included; then it is aborted."""
    most: int = Field(default=2, ge=1)
    """Builds at a time; the others wait for their turn."""


class PreviewSettings(Table):
    """`[environments.NAME.previews]`: what each open pull request for the branch would change is said on it. Needs Gitea, and a
    token with `write:issue` and `read:user` beside `write:repository`."""

    status: str = Field(default="gitops/plan", pattern=r"^gitops/[A-Za-z0-9/_-]+$")
    """Context of the commit status on the pull request's head. Environments that follow the same branch each need their own."""
    poll: Seconds = Field(default=60, ge=1)
    """Seconds between looks at the list of open pull requests, when nothing rings."""
    pause: Seconds = Field(default=10, ge=0)
    """Least seconds between two looks at one pull request. Doubles, up to a quarter of an hour, while looking at it fails or takes
    long."""
    refresh: Seconds = Field(default=3600, ge=1)
    """Seconds after which what was planned against a live system is planned anew."""
    most: int = Field(default=50, ge=1)
    """Pull requests that are looked at: those that changed last. The others wait until they are among them."""
    timeout: Seconds = Field(default=60, ge=1)
    """Seconds for looking at one pull request: fetching, merging, rendering, planning."""
    memory: int = Field(default=1 << 30, ge=256 << 20)
    """Bytes of memory for each process that looks at a pull request; rendering has its own limit, as in a run."""
    max_fetch_bytes: int = Field(default=256 << 20, ge=1 << 20)
    """Bytes that one pull request may bring."""
    validation: PreviewValidationSettings | None = None
    """`[environments.NAME.previews.validation]`; unset, merges are not validated by Concourse."""
