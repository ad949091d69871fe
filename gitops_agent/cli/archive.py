"""Files that came along with the task that validates them. The agent has read them from a commit: git need not judge them again."""

from __future__ import annotations

import tarfile
import zlib
from base64 import b64decode
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from gitops_agent.cli.worktree import NO_REVISION, WorkTree
from gitops_agent.errors import ConfigError
from gitops_agent.model import PACKED, Files, Revision

_ATTRIBUTES = ".gitattributes"


class Archive:
    """To be asked as a `WorkTree` is."""

    def __init__(self, packed: str) -> None:
        """What is in the variable PACKED."""
        self._packed = packed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is open."""

    def files(self) -> Files:
        """Raises ConfigError where it cannot be read."""
        return self._files

    @cached_property
    def _files(self) -> Files:
        try:
            with tarfile.open(fileobj=BytesIO(b64decode(self._packed, validate=True)), mode="r:gz") as archive:
                return dict(_contents(archive))
        except (ValueError, OSError, EOFError, zlib.error, tarfile.TarError) as error:
            raise ConfigError(f"${PACKED} cannot be read: {error}") from None

    def revision(self) -> Revision:
        return NO_REVISION

    def marked(self, attribute: str) -> set[str]:
        """As git understands the files .gitattributes in it, if there are any."""
        files = self._files
        if not any(attribute.encode() in content for path, content in files.items() if PurePosixPath(path).name == _ATTRIBUTES):
            return set()
        with TemporaryDirectory(prefix="gitops-agent-") as directory:
            for path, content in files.items():
                place = Path(directory, path)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content if place.name == _ATTRIBUTES else b"")
            with WorkTree(Path(directory)) as tree:
                return tree.marked(attribute)


def _contents(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for told in archive:
        entry = tarfile.data_filter(told, "/nonexistent")  # refuses names that lead elsewhere
        content = archive.extractfile(entry) if entry.isfile() else None
        if content is not None:
            yield entry.name, content.read()
