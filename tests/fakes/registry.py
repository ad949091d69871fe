"""A registry of images that holds one: as much of the distribution API as `docker pull` asks for. Docker takes one on loopback
without TLS."""

from __future__ import annotations

import gzip
import hashlib
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.http import Server

_KIND = "application/vnd.docker."


class Registry(Server):
    """`root` is the image's file system, a tar file; it is served as any name with the tag `1`. `asked` counts requests."""

    def __init__(self, root: bytes) -> None:
        layer = gzip.compress(root, mtime=0)
        history: dict[str, Any] = {"type": "layers", "diff_ids": [_digest(root)]}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]}, "rootfs": history}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_KIND}distribution.manifest.v2+json",
            "config": _described(f"{_KIND}container.image.v1+json", config),
            "layers": [_described(f"{_KIND}image.rootfs.diff.tar.gzip", layer)],
        }
        self.manifest = json.dumps(manifest).encode()
        self.blobs = {_digest(blob): blob for blob in (layer, config)}
        self.asked = 0
        super().__init__(0, _Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        registry, last = self.server, self.path.rsplit("/", 1)[-1]
        registry.asked += 1
        if self.path == "/v2/":
            self._answer(200, b"{}")
        elif "/manifests/" in self.path and last in ("1", _digest(registry.manifest)):
            self._answer(200, registry.manifest, json.loads(registry.manifest)["mediaType"])
        elif "/blobs/" in self.path and last in registry.blobs:
            self._answer(200, registry.blobs[last])
        else:
            self._answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')

    do_HEAD = do_GET  # noqa: N815 -- the name that http.server calls

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Docker-Content-Digest", _digest(body))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nobody reads it."""


def _described(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
