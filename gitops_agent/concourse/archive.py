"""Files in the form that Concourse takes them in: a tar archive, compressed by gzip."""

from __future__ import annotations

import io
import tarfile

from gitops_agent.model import Files

_SCRIPT = b"#!"
_LEVEL = 1
"""It is sent once, to a server nearby."""


def packed(files: Files) -> bytes:
    """A file that begins with `#!` may be executed, as git's modes are not known here."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=_LEVEL) as archive:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            entry.mode = 0o755 if content.startswith(_SCRIPT) else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
