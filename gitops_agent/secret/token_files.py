"""Where the secrets of tokens are kept for the programs that need them: one file a token, for its owner only."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from gitops_agent.errors import ApplyFailed, Unavailable


class TokenFiles:
    """`kind` is for errors: whose setting `token_directory` it is."""

    def __init__(self, directory: Path, kind: str) -> None:
        self._directory = directory
        self._kind = kind

    def read(self, name: str) -> str:
        """Empty when there is no such file. Raises Unavailable when it cannot be read."""
        try:
            return self._path(name).read_bytes().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Unavailable(f"{self._kind}: token_directory: {self._directory / name} cannot be read: {error.strerror}") from None

    def write(self, name: str, value: str) -> None:
        """Into the file that is there, whose owner and mode are its operator's choice; a new one is 0600. In one write, in place: a
        container that mounts the single file sees it. Raises ApplyFailed."""
        try:
            path = self._path(name)
            if self.read(name) == value:
                return
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                content = f"{value}\n".encode()
                os.pwrite(descriptor, content, 0)
                os.ftruncate(descriptor, len(content))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ApplyFailed(
                f"{self._kind}: token_directory: {self._directory / name} cannot be written: {error.strerror}"
            ) from None

    def remove(self, name: str) -> None:
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise ApplyFailed(
                f"{self._kind}: token_directory: {self._directory / name} cannot be removed: {error.strerror}"
            ) from None

    def _path(self, name: str) -> Path:
        """A name may come from the record in Consul, which others can write; it must not lead out of the directory."""
        if "/" in name or name.startswith("."):
            raise PermissionError(errno.EPERM, "no name of a token")
        return self._directory / name
