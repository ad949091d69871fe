"""Grafana's provisioning, as seen of the real one: data sources that are no longer declared stay, dashboards go with their file,
and one that cannot be used is left out with a line in the log.
"""

from __future__ import annotations

import base64
import json
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.http import Server

LOGIN = "Basic " + base64.b64encode(b"admin:right").decode()


class Grafana:
    def __init__(self, port: int, provisioning: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.sources: dict[str, str] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.reloads = 0
        self._taken: dict[Path, tuple[int, dict[str, Any]]] = {}
        self._port = port
        self._provisioning = provisioning
        self.start()

    def start(self) -> None:
        self.load()
        grafana = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(*grafana.answer("GET", self.path, self.headers.get("Authorization", "")))

            do_POST = do_GET  # noqa: N815 -- its name there

            def _answer(self, status: int, data: Any) -> None:
                body = data.encode() if isinstance(data, str) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
                pass

        self._server = Server(self._port, Handler)
        self.started = time.time()

    def stop(self) -> None:
        self._server.stop()

    def answer(self, _method: str, path: str, login: str) -> tuple[int, Any]:
        if path == "/api/health":
            return 200, {"database": "ok"}
        if path == "/metrics":
            return 200, f"process_start_time_seconds {self.started}\n"
        if login != LOGIN:
            return 401, {"message": "invalid username or password"}
        if path in ("/api/admin/provisioning/dashboards/reload", "/api/admin/provisioning/datasources/reload"):
            try:
                self.load()
            except yaml.YAMLError:
                return 500, {"message": "Internal Server Error"}
            self.reloads += 1
            return 200, {"message": f"{path.split('/')[-2].capitalize()} config reloaded"}
        if path == "/api/datasources":
            return 200, [{"uid": uid, "name": name} for uid, name in self.sources.items()]
        if path.startswith("/api/search?type=dash-db"):
            return 200, [{"uid": uid, "title": found["title"]} for uid, found in self.dashboards.items()]
        return 404, {"message": "Not found"}

    def load(self) -> None:
        for file in sorted(self._provisioning.glob("datasources/*.yaml")):
            for source in yaml.safe_load(file.read_bytes())["datasources"] or ():
                self.sources[source["uid"]] = source["name"]
        files = sorted((self._provisioning / "dashboards").resolve().glob("**/*.json"))
        self._taken = {file: self._take(file) for file in files}
        found = [dashboard for _, dashboard in self._taken.values()]
        self.dashboards = {dashboard["uid"]: dashboard for dashboard in found if " " not in dashboard["uid"]}

    def _take(self, file: Path) -> tuple[int, dict[str, Any]]:
        """As 7.5 does: a file that it knows and that is not younger, in whole seconds, counts as unchanged."""
        modified = int(file.stat().st_mtime)
        known = self._taken.get(file)
        return known if known and known[0] >= modified else (modified, json.loads(file.read_bytes()))
