"""Files in the form that Concourse takes them in: a tar archive, compressed by gzip."""

from __future__ import annotations

import io
import tarfile
from pathlib import PurePosixPath

from gitops_agent.model import Files

_SCRIPT = b"#!"
_LEVEL = 1
"""It is sent once, to a server nearby."""
_OWNER = 8555
"""The agent's user in its image. Concourse gives what is root's to another user before each build, 2 ms a file."""


def packed(files: Files) -> bytes:
    """A file that begins with `#!` may be executed, as git's modes are not known here."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=_LEVEL) as archive:
        for folder in sorted({str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}):
            archive.addfile(_entry(folder, tarfile.DIRTYPE, 0o755))
        for path, content in sorted(files.items()):
            entry = _entry(path, tarfile.REGTYPE, 0o755 if content.startswith(_SCRIPT) else 0o644)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.mode = kind, mode
    entry.uid = entry.gid = _OWNER
    return entry
