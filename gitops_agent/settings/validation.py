"""What agent.toml says of validation by Concourse."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from gitops_agent.target import Seconds, Table


class Policy(StrEnum):
    """What a validation that does not succeed means for the run."""

    REQUIRED = "required"
    ADVISORY = "advisory"


class ValidationSettings(Table):
    """`[environments.NAME.validation]`: each new commit is validated by Concourse, as a one-off build of a task file."""

    address: str = Field(pattern=r"^https?://[^/@?#\s]+(/[^@?#\s]*)?$")
    """Address of Concourse: `https://ci.example.org`."""
    team: str = "main"
    """Team that the build belongs to. The agent needs role `member` in it."""
    pipeline: str = ""
    """Pipeline that the build is listed with and whose `((vars))` it sees; without one it belongs to the team alone."""
    username: str = ""
    """Local user to log in as, with `password_file`. Or else `client` and `client_secret_file`."""
    password_file: Path | None = None
    """File with the password."""
    client: str = ""
    """Client of the agent's own (`--add-client`)."""
    client_secret_file: Path | None = None
    """File with the client's secret."""
    ca_file: Path | None = None
    """CA certificates (PEM) to trust over HTTPS; the host's own unless set."""
    timeout: Seconds = Field(default=30, gt=0)
    """Seconds for one request."""
    task: str = "ci/validate.yml"
    """The task file in the config repo. That of the last applied revision counts: a commit does not decide how it is judged."""
    image: dict[str, Any] = Field(default_factory=dict)
    """What the task runs in, where its file does not say: an `image_resource` of Concourse's, as in `{ type = "registry-image",
    source = { repository = "…" } }`."""
    image_password_file: Path | None = None
    """File with the `password` of that source. It is kept by Concourse with the build, and no task sees it."""
    git: dict[str, str | bool | int] = Field(default_factory=dict)
    """For a Concourse that refuses one-off builds, and so has to fetch commits itself: how its workers reach the repository, as the
    source of a git resource, `{ uri = "…", username = "((git.user))" }`. `uri` and `branch` are those of the environment unless
    set. `((vars))` are looked up by Concourse, so no secret need stand here."""
    git_password_file: Path | None = None
    """File with a password or token that may read the repository; it becomes the `password` of `git` and is kept by Concourse. For
    one without a secret store of its own."""
    deadline: Seconds = Field(default=600, gt=0)
    """Seconds for one build, waiting for a worker included; then it is aborted."""
    policy: Policy = Policy.REQUIRED
    """`required`: writes begin when the build has succeeded. `advisory`: its result is said on the commit, and stops nothing."""

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        pairs = ((self.username, self.password_file), (self.client, self.client_secret_file))
        if sorted(bool(name) + (file is not None) for name, file in pairs) != [0, 2]:
            raise ValueError("needs username and password_file, or client and client_secret_file")
        return self
