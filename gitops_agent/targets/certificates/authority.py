"""The authority's own two files: read, or made once. They are the operator's: never published but for the certificate, never
replaced, never deleted.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.file_target import tree
from gitops_agent.targets.certificates.pem import NoPem, Pair, key_text, load, load_key, make_authority, new_key


class AuthorityFiles:
    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key

    def read(self) -> Pair | None:
        """None where there is none, or only a key: a first run was cut short. Raises Unavailable for files that are of no use."""
        certificate, key = _content(self._certificate), _content(self._key)
        if certificate is None:
            return None
        if key is None:
            raise Unavailable(f"certificates: {self._key}, the authority's key, does not exist")
        try:
            pair = load(certificate, key)
        except NoPem as error:
            raise Unavailable(f"certificates: {self._certificate} or {self._key} {error}") from None
        if not pair.belong_together:
            raise Unavailable(f"certificates: {self._key} is not the key of {self._certificate}")
        return pair

    def published(self) -> bytes:
        """What those who shall trust it get."""
        return _content(self._certificate) or b""

    def make(self, name: str, days: int, now: datetime) -> Pair:
        """The key first: cut short after it, the next run goes on with the same. Raises ApplyFailed."""
        try:
            key = _content(self._key)
            if key is None:
                key = key_text(new_key())
                _write(self._key, tree.File(key, 0o600))
            _write(self._certificate, tree.File(make_authority(load_key(key), name, days, now)))
        except OSError as error:
            raise ApplyFailed(f"certificates: {error.filename}: {error.strerror}") from None
        except NoPem as error:
            raise ApplyFailed(f"certificates: {self._key} {error}") from None
        pair = self.read()
        if pair is None:
            raise ApplyFailed(f"certificates: {self._certificate} disappeared")
        return pair


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"certificates: {path}: {error.strerror}") from None


def _write(path: Path, file: tree.File) -> None:
    """Never half of one, and never over another."""
    staged = path.with_name(f"{path.name}.{os.getpid()}.new")
    staged.unlink(missing_ok=True)
    tree.create(staged, file)
    try:
        os.link(staged, path)
    finally:
        staged.unlink()
    tree.sync(path.parent)
