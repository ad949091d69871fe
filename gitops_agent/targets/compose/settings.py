"""What agent.toml says of a Compose project."""

from __future__ import annotations

from pathlib import PurePosixPath

from pydantic import Field, field_validator

from gitops_agent.file_target import DirectorySettings
from gitops_agent.target import Seconds


class ComposeSettings(DirectorySettings):
    """`directory` is the project's directory: everything in the target's folder is published there, in place."""

    project: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """The project's name, part of its identity: another one is another project, with volumes of its own."""
    files: tuple[str, ...] = ("compose.yaml",)
    """The Compose files of the folder, in the order in which they are merged."""
    docker: str = ""
    """The engine, as in DOCKER_HOST; that, or the usual socket, unless set."""
    settle: Seconds = Field(default=1, ge=0)
    """Seconds that a service without a health check must have been up before it counts as healthy."""
    pull_timeout: Seconds = Field(default=600, gt=0)
    """Seconds for pulling the images that are missing."""
    up_timeout: Seconds = Field(default=600, gt=0)
    """Seconds for `docker compose up`, which waits for what services depend on."""
    allow_build: bool = False
    """Services may say how their images are built. The agent never builds one: it has to be on the host, or to be had from a
    registry. Without it `build` is refused."""
    allow_destroy: bool = False
    """Volumes that are no longer declared may be deleted, each time with consent to that very plan. Without it they are left."""

    @field_validator("files")
    @classmethod
    def _plain(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if not files or any(PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts for path in files):
            raise ValueError("must name files of the target's folder")
        return files
