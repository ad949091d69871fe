"""Images made of programs of this host, with the libraries that they need and nothing else: no registry is asked."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

_LIBRARY = re.compile(r"(/\S+) \(0x")
_APPLETS = (
    *("cat", "chmod", "chown", "env", "grep", "id", "kill", "ls", "mkdir", "mv", "rm", "sleep", "su", "test", "touch", "tr"),
    *("true", "whoami"),
)
_USERS = {"root": 0, "nginx": 101, "postgres": 999, "git": 1000}


class Image:
    """A root directory that is packed as it is filled. `make` brings it to the engine."""

    def __init__(self) -> None:
        self._packed = tempfile.TemporaryFile()  # noqa: SIM115 -- both are closed by `make`
        self._tar = tarfile.open(fileobj=self._packed, mode="w")  # noqa: SIM115
        self._there: set[str] = set()
        self._needing: list[str] = []
        for place in ("/tmp", "/run", "/var/run", "/root"):
            self.directory(place)
        busybox = shutil.which("busybox")
        assert busybox, "busybox is not here: script/servers installs it"
        self.file("/bin/busybox", Path(busybox))
        for applet in _APPLETS:
            self.link(f"/bin/{applet}", "busybox")
        # Not busybox': its shell prefers its own wget, which crashes where a libc of another kind lies beside it.
        self.program("dash", "/bin/sh")
        self.program("wget")
        self.text("/etc/passwd", "".join(f"{name}:x:{number}:{number}::/tmp:/bin/sh\n" for name, number in _USERS.items()))
        self.text("/etc/group", "".join(f"{name}:x:{number}:\n" for name, number in _USERS.items()))

    def directory(self, path: str) -> None:
        member = tarfile.TarInfo(path.lstrip("/"))
        member.type, member.mode = tarfile.DIRTYPE, 0o1777 if path == "/tmp" else 0o755
        self._tar.addfile(member)

    def link(self, path: str, target: str) -> None:
        member = tarfile.TarInfo(path.lstrip("/"))
        member.type, member.linkname = tarfile.SYMTYPE, target
        self._there.add(path)
        self._tar.addfile(member)

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        member = tarfile.TarInfo(path.lstrip("/"))
        member.size, member.mode = len(content.encode()), mode
        self._tar.addfile(member, io.BytesIO(content.encode()))

    def file(self, path: str, source: Path) -> None:
        """A file of this host, links followed; a program's libraries come with `make`."""
        path = os.path.normpath(path)
        if path in self._there:
            return
        self._there.add(path)
        real = source.resolve()
        member = self._tar.gettarinfo(str(real), path.lstrip("/"))
        member.uid = member.gid = 0
        with real.open("rb") as content:
            if content.peek(4)[:4] == b"\x7fELF":
                self._needing.append(str(real))
            member.type, member.size = tarfile.REGTYPE, real.stat().st_size  # one of several hard links, too
            self._tar.addfile(member, content)

    def program(self, name: str, path: str = "") -> None:
        found = shutil.which(name)
        assert found, f"{name} is not here: script/servers installs it"
        self.file(path or f"/bin/{name}", Path(found))

    def tree(self, directory: Path, at: str = "", without: Iterable[str] = ()) -> None:
        """Files below a directory, at the same path unless another is named; `without` are names at any depth."""
        for place, directories, names in os.walk(directory):
            directories[:] = [name for name in directories if name not in without]
            for name in set(names).difference(without):
                source = Path(place, name)
                if source.exists():
                    self.file(f"{at or directory}/{source.relative_to(directory)}", source)

    def make(self, tag: str, *, entrypoint: Sequence[str] = (), environment: Sequence[str] = (), workdir: str = "/") -> None:
        for library in _libraries(self._needing):
            self.file(library, Path(library))
        self._tar.close()
        quoted = ", ".join(f'"{word}"' for word in entrypoint)
        changes = ["ENV PATH=/bin", f"WORKDIR {workdir}", *(f"ENV {one}" for one in environment)]
        changes += [f"ENTRYPOINT [{quoted}]"] if entrypoint else []
        options = [part for change in changes for part in ("--change", change)]
        self._packed.seek(0)
        with self._packed:
            subprocess.run(["docker", "import", *options, "-", tag], stdin=self._packed, check=True, capture_output=True)


def _libraries(programs: Sequence[str]) -> set[str]:
    """What `ldd` says, the loader among them. It complains of scripts and of what is linked statically, which need none."""
    if not programs:
        return set()
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return set(_LIBRARY.findall(said))
