"""An image of the real Docker Engine, pushed into a registry that looks at what it is given, as Gitea 1.26.3 was seen to."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from gitops_agent.api import Api
from gitops_agent.bootstrap.registry import Registry
from gitops_agent.container.engine import Engine
from gitops_agent.errors import Unavailable
from tests.fakes.http import Server

pytestmark = [pytest.mark.server, pytest.mark.slow]
LOGIN = {"Authorization": "Basic Z2l0b3BzLWFnZW50OnRva2Vu"}


class FakeRegistry:
    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads = 0
        self._server = Server(0, type("Handler", (_Handler,), {"fake": self}))
        self.url = f"http://127.0.0.1:{self._server.port}"

    def stop(self) -> None:
        self._server.stop()

    def answer(self, method: str, url: str, login: str, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(url)
        if login != LOGIN["Authorization"]:
            return 401, b""
        rest = parts.path.removeprefix("/v2/cloud/checkers/")
        match method, rest.split("/"):
            case "HEAD", ["blobs", digest]:
                return (200 if digest in self.blobs else 404), b""
            case "POST", ["blobs", "uploads", ""]:
                return self._upload(parse_qs(parts.query)["digest"][0], body)
            case "PUT", ["manifests", tag]:
                return self._tag(tag, body)
            case "GET", ["manifests", tag]:
                return (200, self.manifests[tag]) if tag in self.manifests else (404, b"{}")
        return 404, b""

    def _upload(self, digest: str, body: bytes) -> tuple[int, bytes]:
        if digest != f"sha256:{hashlib.sha256(body).hexdigest()}":
            return 400, b'{"errors": [{"code": "DIGEST_INVALID"}]}'
        self.uploads += 1
        self.blobs[digest] = body
        return 201, b""

    def _tag(self, tag: str, body: bytes) -> tuple[int, bytes]:
        manifest = json.loads(body)
        for blob in [manifest["config"], *manifest["layers"]]:
            if len(self.blobs.get(blob["digest"], b"")) != blob["size"]:
                return 400, b'{"errors": [{"code": "BLOB_UNKNOWN"}]}'
        self.manifests[tag] = body
        return 201, b""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: ClassVar[FakeRegistry]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, content = self.fake.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815 -- the names http.server asks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    yield fake
    fake.stop()


@pytest.fixture
def image(binary: Callable[[str], str]) -> Iterator[str]:
    """One with one file, of a name of its own."""
    name = f"gitops-agent-test/registry:{uuid.uuid4().hex[:8]}"
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = len(name)
        archive.addfile(entry, io.BytesIO(name.encode()))
    subprocess.run([binary("docker"), "import", "-", name], input=files.getvalue(), capture_output=True, check=True)
    yield name
    subprocess.run(["docker", "rmi", name], capture_output=True, check=False)


def test_an_image_is_pushed_once_and_known_by_its_id(registry: FakeRegistry, image: str) -> None:
    engine, there = Engine(), Registry(Api("gitea", registry.url, headers=LOGIN), "cloud/checkers")
    try:
        assert there.image("latest") == ""
        there.push(engine, image, "latest")
        assert there.image("latest") == engine.image(image) != ""
        manifest = json.loads(registry.manifests["latest"])
        (layer,) = manifest["layers"]
        assert layer["mediaType"] == "application/vnd.docker.image.rootfs.diff.tar.gzip"
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(registry.blobs[layer["digest"]]))) as archive:
            assert archive.extractfile("hello").read() == image.encode()  # type: ignore[union-attr] -- it is a file
        sent = registry.uploads
        there.push(engine, image, "other")
        assert registry.uploads == sent, "what is there is not sent again"
        assert engine.image("gitops-agent-test/no-such-image:1") == ""
        layer["mediaType"] = layer["mediaType"].removesuffix(".gzip")  # as it was pushed before
        registry.manifests["latest"] = json.dumps(manifest).encode()
        assert there.image("latest") == "", "it is put there anew"
    finally:
        engine.close()


def test_a_login_that_is_refused_is_said(registry: FakeRegistry) -> None:
    with pytest.raises(Unavailable, match="gitea answered 401"):
        Registry(Api("gitea", registry.url), "cloud/checkers").image("latest")
