"""Which of a container's mounts show published files, and what a throw-away container mounts instead to see the staged ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from gitops_agent.container.shapes import Mount
from gitops_agent.errors import ConfigError


class PublishedMounts:
    """`directory` is the mounted one: that above the links of `switch`, the published one itself of `in-place`."""

    def __init__(self, mounts: Sequence[Mount], directory: Path, live: Path) -> None:
        self._mounts = mounts
        self._directory = directory
        self._live = live
        pinned = [mount.source for mount in mounts if _below(mount.source, live) is not None] if live != directory else []
        if pinned:
            raise ConfigError(f"the container mounts {pinned[0]}, which `switch` replaces; let it mount {directory}")
        if not any(self._shows(mount) for mount in mounts):
            raise ConfigError(f"the container mounts nothing of {directory}; is that its path on the Docker host?")

    def inside(self, path: Path) -> PurePosixPath:
        """Where the container sees a path of the host."""
        for mount in sorted(self._mounts, key=lambda mount: len(mount.source), reverse=True):
            below = _below(str(path), Path(mount.source)) if mount.kind == "bind" else None
            if below is not None:
                return PurePosixPath(mount.target) / below
        raise ConfigError(f"the container does not mount {path}")

    def outside(self, path: str) -> Path | None:
        """The path on the host of one that the container sees, if it is mounted."""
        for mount in sorted(self._mounts, key=lambda mount: len(mount.target), reverse=True):
            below = _below(path, Path(mount.target))
            if below is not None:
                return Path(mount.source) / below if mount.kind == "bind" else None
        return None

    def staged(self, root: Path) -> Iterator[Mount]:
        """The mounts with `root`, a copy of the directory, in its place. A single file that is no more is left out."""
        for mount in self._mounts:
            below = _below(mount.source, self._directory) if mount.kind == "bind" else None
            if below is not None:
                source = root / below
                if source.exists():
                    yield replace(mount, source=str(source))
                continue
            yield mount
            around = _below(str(self._directory), Path(mount.source)) if mount.kind == "bind" else None
            if around is not None:
                yield replace(mount, source=str(root), target=str(PurePosixPath(mount.target) / around))

    def _shows(self, mount: Mount) -> bool:
        return mount.kind == "bind" and (
            _below(mount.source, self._directory) is not None or _below(str(self._directory), Path(mount.source)) is not None
        )


def _below(path: str, directory: Path) -> PurePosixPath | None:
    """`path` relative to `directory`, None where it is not in it."""
    try:
        return PurePosixPath(path).relative_to(directory)
    except ValueError:
        return None
