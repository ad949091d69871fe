"""What agent.toml says of every target that publishes files."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field, field_validator

from gitops_agent.target import TargetSettings


class Publish(StrEnum):
    """How files get to where a program reads them."""

    SWITCH = "switch"
    IN_PLACE = "in-place"


class DirectorySettings(TargetSettings):
    """Where files are published, and whose the secret ones are."""

    directory: Path
    """Absolute path of the directory to publish to, the same on the host and in the agent's container."""
    ignore: tuple[str, ...] = ()
    """Paths below `directory` that programs write themselves, with `*` for any text: `["upstreams/*"]`. Never published, compared
    or healed. In place, another target may have a directory that is left out whole: `["nginx/*"]`."""
    secret_mode: str = Field(default="0600", pattern="^0[0-7]{3}$")
    """Mode of files that hold a secret. Other files are 0644."""
    secret_owner: str = Field(default="", pattern="^([0-9]+(:[0-9]+)?)?$")
    """Owner of files that hold a secret, as numbers: `101` or `101:101`; the agent's own user unless set, which may set it only
    as root."""

    @field_validator("directory")
    @classmethod
    def _absolute(cls, directory: Path) -> Path:
        if not directory.is_absolute() or ".." in directory.parts or len(directory.parts) < 2:
            raise ValueError("must be an absolute path below /")
        return directory

    def leaves(self, claim: str) -> bool:
        """Whether `ignore` names all of the directory that another target claims."""
        below = claim.removeprefix(f"directory:{self.directory}/")
        return below != claim and any(pattern.endswith("*") and fnmatchcase(below, pattern) for pattern in self.ignore)


class FileTargetSettings(DirectorySettings):
    """`directory` and how to publish there."""

    publish: Publish = Publish.SWITCH
    """`switch`: every version is a directory of its own in `directory/versions`, and the program reads `directory/current`, a link
    that is moved in one step; a container mounts `directory`. `in-place`: files are rewritten in their inodes, directly in
    `directory`, for containers that mount single files or several directories of it; what else lies there is left alone."""
    keep: int = Field(default=3, ge=1)
    """Versions that `switch` keeps besides the one in use."""
    reads: tuple[Path, ...] = ()
    """Directories of other files that the program reads: what another target publishes (its `directory`), or another program
    writes: `["/srv/mini-cloud/certificates", "/srv/mini-cloud/upstreams"]`. They are watched; when something in them changes, all
    is checked and the program is told to load it."""

    @field_validator("reads")
    @classmethod
    def _all_absolute(cls, reads: tuple[Path, ...]) -> tuple[Path, ...]:
        if any(not path.is_absolute() or ".." in path.parts for path in reads):
            raise ValueError("must be absolute paths")
        return reads
