"""Grafana's provisioning, as seen of the real one: data sources that are no longer declared stay, dashboards go with their file,
and one that cannot be used is left out with a line in the log. Beside them what people make in Grafana itself.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.fakes.http import Server

LOGIN = "Basic " + base64.b64encode(b"admin:right").decode()


class Grafana:
    def __init__(self, port: int, provisioning: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.sources: dict[str, str] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        """Those of files."""
        self.by_hand: dict[str, dict[str, Any]] = {}
        """Dashboards that people made, with `folder`, the uid of theirs."""
        self.folders: dict[str, str] = {}
        self.rules: list[dict[str, Any]] | None = None
        """Alert rules as Grafana 9.1 and later has them; 7.5, of which all else is, knows none."""
        self.reloads = 0
        self._written: set[str] = set()
        """Data sources that people may write: they made them, or their file says `editable`."""
        self._taken: dict[Path, tuple[int, dict[str, Any]]] = {}
        self._number = itertools.count(1)
        self._numbers: dict[str, int] = {}
        self._port = port
        self._provisioning = provisioning
        self.start()

    def start(self) -> None:
        self.load()
        grafana = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                login = self.headers.get("Authorization", "")
                self._answer(*grafana.answer(self.command, self.path, login, json.loads(body) if body else None))

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

    def answer(self, method: str, asked: str, login: str, body: Any) -> tuple[int, Any]:
        path = urlsplit(asked).path
        if path == "/api/health":
            return 200, {"database": "ok"}
        if path == "/metrics":
            return 200, f"process_start_time_seconds {self.started}\n"
        if login != LOGIN:
            return 401, {"message": "invalid username or password"}
        return self._told(path, body) if method == "POST" else self._asked(path)

    def _told(self, path: str, body: Any) -> tuple[int, Any]:
        if path in ("/api/admin/provisioning/dashboards/reload", "/api/admin/provisioning/datasources/reload"):
            try:
                self.load()
            except yaml.YAMLError:
                return 500, {"message": "Internal Server Error"}
            self.reloads += 1
            return 200, {"message": f"{path.split('/')[-2].capitalize()} config reloaded"}
        if path == "/api/datasources":
            self.sources[body["uid"]] = body["name"]
            self._written.add(body["uid"])
            return 200, {"name": body["name"], "message": "Datasource added"}
        if path == "/api/folders":
            self.folders[body["uid"]] = body["title"]
            return 200, {"id": self._numbered(body["uid"]), **body}
        if path == "/api/dashboards/db":
            folder = next((uid for uid in self.folders if self._numbers[uid] == body.get("folderId")), "")
            self.by_hand[body["dashboard"]["uid"]] = {**body["dashboard"], "folder": folder}
            return 200, {"id": self._numbered(body["dashboard"]["uid"]), "uid": body["dashboard"]["uid"]}
        return 404, {"message": "Not found"}

    def _asked(self, path: str) -> tuple[int, Any]:
        if path == "/api/datasources":
            found = sorted((name, uid) for uid, name in self.sources.items())
            return 200, [{"uid": uid, "name": name, "readOnly": uid not in self._written} for name, uid in found]
        if path == "/api/search":
            found = {**self.dashboards, **self.by_hand}
            return 200, [self._hit(found[uid]) for uid in sorted(found, key=lambda uid: str(found[uid]["title"]))]
        if path == "/api/folders":
            return 200, [{"uid": uid, "title": title} for uid, title in self.folders.items()]
        if path == "/api/v1/provisioning/alert-rules" and self.rules is not None:
            return 200, self.rules
        if path.startswith("/api/dashboards/uid/"):
            uid = path.rpartition("/")[2]
            found = {**self.dashboards, **self.by_hand}.get(uid)
            if found is None:
                return 404, {"message": "Dashboard not found"}
            shown = {name: found[name] for name in ("uid", "title")}
            return 200, {"meta": {"provisioned": uid in self.dashboards}, "dashboard": shown}
        return 404, {"message": "Not found"}

    def _hit(self, found: dict[str, Any]) -> dict[str, str]:
        folder = found.get("folder")
        where = {"folderUid": folder, "folderTitle": self.folders[folder]} if folder else {}
        return {"uid": found["uid"], "title": found["title"], **where}

    def load(self) -> None:
        for file in sorted(self._provisioning.glob("datasources/*.y*ml")):
            for source in yaml.safe_load(file.read_bytes())["datasources"] or ():
                self.sources[source["uid"]] = source["name"]
                if source.get("editable"):
                    self._written.add(source["uid"])
        files = sorted((self._provisioning / "dashboards").resolve().glob("**/*.json"))
        self._taken = {file: self._take(file) for file in files}
        found = [dashboard for _, dashboard in self._taken.values()]
        self.dashboards = {dashboard["uid"]: dashboard for dashboard in found if " " not in dashboard["uid"]}
        there = {*self.dashboards, *self.by_hand, *self.folders}
        self._numbers = {uid: number for uid, number in self._numbers.items() if uid in there}
        for uid in self.dashboards:
            self._numbered(uid)

    def _numbered(self, uid: str) -> int:
        if uid not in self._numbers:
            self._numbers[uid] = next(self._number)
        return self._numbers[uid]

    def _take(self, file: Path) -> tuple[int, dict[str, Any]]:
        """As 7.5 does: a file that it knows and that is not younger, in whole seconds, counts as unchanged."""
        modified = int(file.stat().st_mtime)
        known = self._taken.get(file)
        return known if known and known[0] >= modified else (modified, json.loads(file.read_bytes()))
