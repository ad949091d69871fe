"""Local images from programs of this machine, with the libraries they need and a shell: no registry is asked."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.targets.compose.engine import docker

_APPLETS = ("sh", "sleep", "cat", "echo", "test", "true", "mkdir", "mv", "cmp")


def make(name: str, programs: Mapping[str, str], binary: Callable[[str], str], scripts: Mapping[str, str] | None = None) -> None:
    """The image `name`. `programs` are paths here by their path there, `scripts` texts of shell scripts."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for place, program in {"bin/busybox": binary("busybox"), **programs}.items():
            _add(tar, Path(program).resolve(), place)
        for library in {library for program in programs.values() for library in _libraries(program)}:
            _add(tar, Path(library).resolve(), library.lstrip("/"))
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        for folder in ("tmp", "data", "etc/nginx"):
            made = tarfile.TarInfo(folder)
            made.type, made.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(made)
        texts = {
            "etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
            "etc/group": "root:x:0:\nusers:x:100:\nnogroup:x:65534:\n",
        }
        for place, text in {**texts, **(scripts or {})}.items():
            file = tarfile.TarInfo(place)
            file.size, file.mode = len(text.encode()), 0o755
            tar.addfile(file, io.BytesIO(text.encode()))
    docker("import", "-c", 'ENV PATH="/bin"', "-", name, stdin=packed.getvalue())


def _add(tar: tarfile.TarFile, source: Path, place: str) -> None:
    member = tar.gettarinfo(source, place)
    member.type, member.mode, member.linkname = tarfile.REGTYPE, 0o755, ""
    member.size = source.stat().st_size
    with source.open("rb") as file:
        tar.addfile(member, file)


def _libraries(program: str) -> list[str]:
    """What the program is linked with; nothing where it is static."""
    ldd = shutil.which("ldd")
    assert ldd
    said = subprocess.run([ldd, program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+\.so\S*)", said)
