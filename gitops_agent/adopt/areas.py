"""Which directory of the host becomes which target: one for each program that has a kind, and the Compose project for the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gitops_agent.adopt.landscape import Landscape, Service, Use
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.mounts import Mounts, is_scratch
from gitops_agent.file_target import tree

_LARGEST = 1 << 20
"""As agent.toml's max_file_bytes."""
_MOST = 1000
"""Files of one directory: more are data."""
_PROVISIONING = "provisioning"


@dataclass(frozen=True)
class Area:
    """A directory in which one target will own `files`, by their paths below it. `uses` are the mounts that show them."""

    name: str
    service: Service
    directory: Path
    uses: tuple[Use, ...]
    files: Mapping[str, bytes]

    @property
    def seen_as(self) -> PurePosixPath | None:
        """How the program sees the directory; None where it sees only parts of it, in different places."""
        places = set()
        for use in self.uses:
            below = use.source.relative_to(self.directory)
            depth = len(below.parts)
            if depth and use.target.parts[-depth:] != below.parts:
                return None
            places.add(use.target.parents[depth - 1] if depth else use.target)
        return places.pop() if len(places) == 1 else None


def lay_out(landscape: Landscape, mounts: Mounts, left: Left) -> list[Area]:
    """Directories that overlap, or that are the project's own, stay with the Compose project."""
    wanted = [(service, directory, uses) for service in landscape.services for directory, uses in _places(service, mounts)]
    areas: list[Area] = []
    for service, directory, uses in wanted:
        others = [other for owner, other, _ in wanted if owner.name != service.name]
        alone = not any(directory.is_relative_to(other) or other.is_relative_to(directory) for other in others)
        if landscape.directory.is_relative_to(directory) or not alone:
            continue
        files = dict(_files(directory, uses, mounts, left))
        if files:
            areas.append(Area(_name(service, [area.name for area in areas]), service, directory, uses, files))
    return areas


def _places(service: Service, mounts: Mounts) -> Iterator[tuple[Path, tuple[Use, ...]]]:
    """The directories that hold a program's files. Grafana's provisioning is a directory of its own: so its kind wants it."""
    mine = [use for use in mounts.config if use.service.name == service.name]
    if service.program is None or not service.program.kind or not mine:
        return
    if service.program.name == "grafana":
        yield from ((use.source, (use,)) for use in mine if use.target.name == _PROVISIONING and use.source.is_dir())
        return
    inner = [use.source if use.source.is_dir() else use.source.parent for use in mine]
    yield Path(os.path.commonpath(inner)), tuple(mine)


def _files(directory: Path, uses: Sequence[Use], mounts: Mounts, left: Left) -> Iterator[tuple[str, bytes]]:
    for use in uses:
        for path in taken(use.source, mounts, left):
            yield str(path.relative_to(directory)), path.read_bytes()


def taken(source: Path, mounts: Mounts, left: Left) -> list[Path]:
    """The files that a mount shows, without those that programs write and those that nobody could keep in git."""
    below = [source] if source.is_file() else [source / path for path in tree.walk(source)]
    below = [path for path in below if not mounts.writer(path)]
    if len(below) > _MOST:
        left.add(Why.ATTENTION, str(source), f"holds {len(below)} files: more than configuration has, so it is left alone")
        return []
    return [path for path in below if not _refused(path, left)]


def _refused(path: Path, left: Left) -> bool:
    if is_scratch(str(path)):
        left.add(Why.UNMOUNTED, str(path), "a copy or a log")
        return True
    if path.is_symlink():
        why = "is a link, which a config repo cannot hold"
    elif not path.is_file():
        return True
    elif not os.access(path, os.R_OK):
        why = "cannot be read"
    elif path.stat().st_size > _LARGEST:
        why = f"has {path.stat().st_size >> 10} KiB: too large for a config repo"
    else:
        return False
    left.add(Why.ATTENTION, str(path), why)
    return True


def _name(service: Service, known: Sequence[str]) -> str:
    """As `init` calls them: a system that also has an API of its own is `consul` there, and its files are `consul-server`."""
    program = service.program.name if service.program else service.name
    name = f"{program}-server" if program in ("consul", "vault", "nomad") else program
    return name if name not in known else f"{name}-{service.name.replace('_', '-')}"
