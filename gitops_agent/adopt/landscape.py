"""What runs on the host: one Compose project, told by the labels that Compose left on its containers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from gitops_agent.adopt.programs import Program, program_of
from gitops_agent.container.members import LABEL
from gitops_agent.container.shapes import Inspected
from gitops_agent.errors import ConfigError

_PROJECT, _SERVICE = f"{LABEL}project", f"{LABEL}service"
_DIRECTORY, _FILES, _ENV_FILE = f"{_PROJECT}.working_dir", f"{_PROJECT}.config_files", f"{_PROJECT}.environment_file"


class Use(NamedTuple):
    """A path of the host that a container mounts."""

    service: Service
    source: Path
    target: PurePosixPath
    writable: bool


@dataclass(frozen=True)
class Service:
    """One container of the project; `name` is its Compose service."""

    name: str
    found: Inspected
    program: Program | None

    @property
    def container(self) -> str:
        return self.found.container.name

    def uses(self) -> Iterator[Use]:
        for mount in self.found.container.mounts:
            if mount.kind == "bind":
                yield Use(self, Path(mount.source), PurePosixPath(mount.target), mount.writable)

    def variable(self, name: str) -> str:
        """Of its environment; empty where it has none of that name."""
        pairs = (entry.partition("=") for entry in self.found.container.environment)
        return next((value for known, _, value in pairs if known == name), "")

    def outside(self, path: str) -> Path | None:
        """Where on the host a path lies that the container sees; None where it is the container's own."""
        for use in sorted(self.uses(), key=lambda use: len(use.target.parts), reverse=True):
            if PurePosixPath(path).is_relative_to(use.target):
                return use.source / PurePosixPath(path).relative_to(use.target)
        return None


@dataclass(frozen=True)
class Landscape:
    """`files` are the Compose files below `directory`; `others` the containers that belong to no project, `env_file` what Compose
    was told to read instead of `.env`."""

    project: str
    directory: Path
    files: tuple[str, ...]
    services: tuple[Service, ...]
    others: tuple[str, ...]
    env_file: str = ""

    def uses(self) -> Iterator[Use]:
        for service in self.services:
            yield from service.uses()

    def of(self, program: str) -> list[Service]:
        """Those that run a program, by its name."""
        return [service for service in self.services if service.program is not None and service.program.name == program]

    def said(self, program: str, variable: str, service: str = "") -> str:
        """What a program has in its environment, that of one service if it is named; empty where there is nothing of that name."""
        found = (one.variable(variable) for one in self.of(program) if service in ("", one.name))
        return next(filter(None, found), "")


def look(found: Sequence[Inspected], wanted: str) -> Landscape:
    """Raises ConfigError where it is not clear which project is meant, or its files are not where it says."""
    projects = sorted({project for one in found if (project := one.labels.get(_PROJECT))})
    project = wanted or (projects[0] if len(projects) == 1 else "")
    if project not in projects:
        there = ", ".join(projects) or "none"
        raise ConfigError(f"name the Compose project with --project; running are: {there}")
    mine = [one for one in found if one.labels.get(_PROJECT) == project]
    directory = Path(_most_said(mine, _DIRECTORY))
    listed = [Path(name) for name in _most_said(mine, _FILES).split(",") if name]
    outside = [path for path in listed if not path.is_relative_to(directory) or not path.is_file()]
    if outside or not listed:
        raise ConfigError(f"{project}: {outside[0] if outside else 'its Compose file'} is not there, or not below {directory}")
    return Landscape(
        project,
        directory,
        tuple(str(path.relative_to(directory)) for path in listed),
        tuple(Service(one.labels.get(_SERVICE, one.container.name), one, program_of(one)) for one in mine),
        tuple(one.container.name for one in found if _PROJECT not in one.labels),
        _most_said(mine, _ENV_FILE),
    )


def _most_said(mine: Sequence[Inspected], label: str) -> str:
    said = Counter(one.labels.get(label, "") for one in mine)
    return said.most_common(1)[0][0]
