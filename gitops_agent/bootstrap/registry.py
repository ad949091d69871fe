"""An image of this host, put into a registry over HTTP: blob by blob, as the OCI distribution specification has it.

Not by Docker itself: for that its engine would have to trust the mini-cloud's own CA, and to find its names.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gitops_agent.api import Api
from gitops_agent.container.engine import Engine

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_GZIP = b"\x1f\x8b"
_LEVEL = 1
"""Registry and readers are nearby."""


class Registry:
    """One image of it, `repository` as in OWNER/NAME. Raises Unavailable, and ApplyFailed where it says no."""

    def __init__(self, api: Api, repository: str) -> None:
        self._api = api
        self._path = f"/v2/{repository}"

    def image(self, tag: str) -> str:
        """The id of the image with this tag, `sha256:…`; empty where there is none, or one that not all can read (see `push`)."""
        headers = {"Accept": _MANIFEST}
        answer = self._api.call("GET", f"{self._path}/manifests/{tag}", headers=headers, accept=(404,))
        if answer.status == 404 or not isinstance(answer.data, Mapping):
            return ""
        if any(layer["mediaType"] != _LAYER for layer in answer.data["layers"]):
            return ""
        return str(answer.data["config"]["digest"])

    def push(self, engine: Engine, name: str, tag: str) -> None:
        """The image `name` of an engine, with all its layers. They are compressed, as Docker itself does it: Concourse's
        registry-image resource takes any layer for gzip, whatever the manifest says (1.0 to 1.18)."""
        with TemporaryDirectory(prefix="gitops-agent-") as temporary:
            directory = Path(temporary)
            with (directory / "image.tar").open("wb") as file:
                engine.export(name, file)
            with tarfile.open(directory / "image.tar") as archive:
                archive.extractall(directory, filter="data")
            (listed,) = json.loads((directory / "manifest.json").read_text())
            config = self._blob(directory / listed["Config"], _CONFIG)
            layers = [self._blob(_compressed(directory / layer), _LAYER) for layer in listed["Layers"]]
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
        headers = {"Content-Type": _MANIFEST}
        self._api.call("PUT", f"{self._path}/manifests/{tag}", data=json.dumps(manifest).encode(), headers=headers)

    def _blob(self, path: Path, kind: str) -> dict[str, Any]:
        """Sends it unless it is there. How it is named in a manifest."""
        with path.open("rb") as file:
            digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            file.seek(0)
            if self._api.call("HEAD", f"{self._path}/blobs/{digest}", accept=(404,)).status == 404:
                headers = {"Content-Type": "application/octet-stream"}
                self._api.call("POST", f"{self._path}/blobs/uploads/", params={"digest": digest}, data=file, headers=headers)
        return {"mediaType": kind, "size": path.stat().st_size, "digest": digest}


def _compressed(layer: Path) -> Path:
    """The same file each time, so that what is there already is not sent again."""
    with layer.open("rb") as plain:
        if plain.read(2) == _GZIP:
            return layer
        plain.seek(0)
        compressed = layer.with_name(f"{layer.name}.gz")
        with compressed.open("wb") as file, gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packing:
            shutil.copyfileobj(plain, packing, 1 << 20)
    return compressed
