"""The secrets that `file:NAME` stands for: one file each, 0600, in a directory nobody else enters."""

from __future__ import annotations

import os
from pathlib import Path

from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.secret.masking import remember


class SecretFiles:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, name: str) -> Path:
        return self.directory / name

    def has(self, name: str) -> bool:
        try:
            return bool(self.path(name).read_text().strip())
        except (OSError, UnicodeDecodeError):
            return False

    def read(self, name: str) -> str:
        """From now on it is masked wherever it is shown. Empty where there is none."""
        return read_secret(self.path(name)) if self.path(name).exists() else ""

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def write(self, name: str, value: str) -> None:
        """Whole or not at all, on the disk before this returns: what a system tells once must not get lost."""
        write_secret(self.path(name), value)


def read_secret(path: Path) -> str:
    """Raises Unavailable where it cannot be read."""
    try:
        value = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} cannot be read: {getattr(error, 'strerror', 'no text')}") from None
    if value:
        remember(value, str(path))
    return value


def write_secret(path: Path, value: str) -> None:
    """0600, whole or not at all. Raises ApplyFailed."""
    remember(value, str(path))
    staged = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise ApplyFailed(f"{path} cannot be written: {error.strerror}") from None
