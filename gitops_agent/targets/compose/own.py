"""The agent's own container: a project that would stop it is refused, and a directory that lies elsewhere on the host is seen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gitops_agent.container.shapes import Mount
from gitops_agent.errors import ConfigError, UnsafePlan

_CONTAINER = re.compile(r"/containers/([0-9a-f]{64})/hostname /etc/hostname ")


def container(mountinfo: Path = Path("/proc/self/mountinfo")) -> str:
    """ID of the container that this process runs in: Docker mounts its hostname file from a directory with that name. Empty outside
    of one, where mounts of other containers' directories (`…/mounts/shm`) may be seen."""
    try:
        found = _CONTAINER.search(mountinfo.read_text())
    except OSError:
        return ""
    return found[1] if found else ""


def refuse(project: str, environment: str) -> UnsafePlan:
    return UnsafePlan(f"project {project} runs this agent, which would stop itself; on the host: gitops-agent apply {environment}")


def check_path(directory: Path, mounts: Sequence[Mount]) -> None:
    """Raises ConfigError where `directory` is not the same directory on the host: what is mounted from there would be empty, and
    Compose's hashes, which hold paths, would differ from what a person gets on the host."""
    around = [mount for mount in mounts if mount.kind == "bind" and directory.is_relative_to(mount.target)]
    if not around:
        raise ConfigError(f"{directory} exists only in the agent's container; mount it there from the same path of the host")
    nearest = max(around, key=lambda mount: len(Path(mount.target).parts))
    there = Path(nearest.source) / directory.relative_to(nearest.target)
    if there != directory:
        raise ConfigError(f"{directory} of the agent's container is {there} on the host; both have to be the same path")
