"""The real Docker Engine as tests see it: by its command line, not through the agent's code."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

IMAGE = "gitops-agent-test/busybox"
_APPLETS = ("sh", "sleep", "cat", "true", "false", "touch", "kill", "echo", "test")


def docker(*arguments: str, stdin: bytes | None = None, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=False)
    assert not check or done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def make_images() -> None:
    """IMAGE:1 and IMAGE:2, which differ in /version; made by hand, so that no registry is needed."""
    for version in ("1", "2"):
        if docker("image", "inspect", f"{IMAGE}:{version}", check=False) in ("", "[]"):
            docker("import", "-c", 'ENV PATH="/bin"', "-", f"{IMAGE}:{version}", stdin=root(version))


def root(version: str) -> bytes:
    """The file system of such an image, as a tar file."""
    busybox = shutil.which("busybox")
    assert busybox, "busybox is not here: script/servers installs it"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(busybox, "bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        content = version.encode()
        file = tarfile.TarInfo("version")
        file.size = len(content)
        tar.addfile(file, io.BytesIO(content))
    return packed.getvalue()


def containers(project: str) -> dict[str, dict[str, Any]]:
    """What `docker inspect` says of a project's containers, by name without the project."""
    ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").split()
    found = json.loads(docker("inspect", *ids)) if ids else []
    return {container["Name"].removeprefix(f"/{project}-"): container for container in found}


def names(kind: str, project: str) -> list[str]:
    """Names of a project's networks or volumes."""
    listed = docker(kind, "ls", "--format", "{{.Name}}", "--filter", f"label=com.docker.compose.project={project}")
    return sorted(name.removeprefix(f"{project}_") for name in listed.split())


def compose(project: str, directory: Path, *arguments: str, files: Sequence[str] = ("compose.yaml",)) -> None:
    """As a person would do it."""
    named = [part for file in files for part in ("-f", str(directory / file))]
    docker("compose", "-p", project, "--project-directory", str(directory), *named, *arguments)


def clear(project: str) -> None:
    """Everything of the project, volumes as well."""
    ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").split()
    if ids:
        docker("rm", "-f", "-v", *ids)
    for kind in ("network", "volume"):
        for name in names(kind, project):
            docker(kind, "rm", f"{project}_{name}", check=False)
