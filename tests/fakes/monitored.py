"""A program with a configuration file, `/ready`, `/metrics` and a reload, as Loki and Promtail are.

As seen of Promtail 3.4.6: an unchanged file is answered with 500 «config has not changed»; a file that it cannot use ends
what it did before, and what it takes for unchanged is still the one from before that.
"""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.fakes.http import Server

UNUSABLE = b"stage: foo"
"""In a file: its check finds nothing, the program refuses it."""


_NO_LOGS = "Not ready: Unable to find any logs to tail. Please verify permissions, volumes, scrape_config, etc.\n"
_UNKNOWN_STAGE = "failed to reload config: failed to make file target manager: invalid foo stage config: Unknown stage type: foo\n"


class Monitored:
    """Starts at once, and again by `POST /restart`, which stands for `docker restart`."""

    def __init__(self, port: int, config: Path, *, reload: bool = True, says: str = "Ready") -> None:
        self.says = says
        """What it answers when it is ready; Loki has it in small letters, and a line."""
        self.url = f"http://127.0.0.1:{port}"
        self.reloads = reload
        self._port = port
        self._config = config
        self.loads = 0
        self.start()

    def start(self) -> None:
        self.loaded: dict[str, bytes] = {}
        self._remembered: bytes | None = None
        self.started = time.time()
        if self._read() is not None:
            self._load()
        program = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(*program.get(self.path))

            def do_POST(self) -> None:
                self._answer(*program.post(self.path))

            def _answer(self, status: int, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
                pass

        self._server = Server(self._port, Handler)

    def stop(self) -> None:
        self._server.stop()

    def get(self, path: str) -> tuple[int, str]:
        if path == "/metrics":
            return 200, f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {self.started}\n"
        if path == "/ready":
            return (200, self.says) if self.loaded else (500, _NO_LOGS)
        return 404, "404 page not found\n"

    def post(self, path: str) -> tuple[int, str]:
        if path == "/restart":
            self.loaded, self._remembered, self.started = {}, None, time.time()
            self._load()
            return 200, ""
        if path == "/reload" and self.reloads:
            if self._read() == self._remembered:
                return 500, "failed to reload config: config has not changed\n"
            return (200, "") if self._load() else (500, _UNKNOWN_STAGE)
        return 404, "404 page not found\n"

    def _read(self) -> bytes | None:
        return self._config.read_bytes() if self._config.exists() else None

    def _load(self) -> bool:
        self.loaded = {}
        content = self._read()
        if content is None or UNUSABLE in content:
            return False
        self.loads += 1
        self._remembered = content
        beside = self._config.parent.rglob("*")
        files = {str(path.relative_to(self._config.parent)): path for path in beside if ".gitops-agent" not in path.parts}
        self.loaded = {name: path.read_bytes() for name, path in files.items() if path.is_file()}
        return True
