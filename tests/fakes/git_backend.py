"""What git itself answers over HTTP. Its http-backend is a CGI program (RFC 3875)."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Said:
    status: int
    headers: Mapping[str, str]
    content: bytes


def answer(handler: BaseHTTPRequestHandler, root: Path, path: str, environment: Mapping[str, str], user: str = "somebody") -> Said:
    """To the request in `handler`; `path` is the one below `root`. http-backend lets nobody push who is nobody."""
    body = _body(handler)
    variables = {
        **environment,
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
        "PATH_INFO": path,
        "QUERY_STRING": urlsplit(handler.path).query,
        "REQUEST_METHOD": handler.command,
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_USER": user,
        "REMOTE_ADDR": handler.client_address[0],
    }
    done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True, check=False)
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if line)
    return Said(int(fields.pop("Status", "200").split()[0]), fields, content)


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding") == "chunked":
        chunks = []
        while size := int(handler.rfile.readline(), 16):
            chunks.append(handler.rfile.read(size))
            handler.rfile.readline()
        body = b"".join(chunks)
    else:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    return zlib.decompress(body, wbits=31) if handler.headers.get("Content-Encoding") == "gzip" else body
