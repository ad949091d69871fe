"""A Loki that keeps lines, and a Promtail that reads lines and ships them there: what the doctor asks the two."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import requests

from tests.fakes.http import Server

_WAITS = "Ingester not ready: waiting for 15s after being ready\n"


class _Answers:
    """An HTTP server that asks `answer` for status and text."""

    def __init__(self) -> None:
        program = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, text = program.answer(self.command, self.path, content)
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/plain; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = _serve  # noqa: N815 -- the names http.server asks for

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
                pass

        self._server = Server(0, Handler)
        self.url = f"http://127.0.0.1:{self._server.port}"

    def answer(self, method: str, path: str, content: bytes) -> tuple[int, str]:
        raise NotImplementedError

    def stop(self) -> None:
        self._server.stop()


class FakeLoki(_Answers):
    def __init__(self) -> None:
        self.ready = True
        self.streams: list[dict[str, object]] = []
        super().__init__()

    def answer(self, method: str, path: str, content: bytes) -> tuple[int, str]:
        parts = urlsplit(path)
        if parts.path == "/ready":
            return (200, "ready\n") if self.ready else (503, _WAITS)
        if parts.path == "/loki/api/v1/push":
            self.streams += json.loads(content)["streams"]
            return 204, ""
        span = {name: int(values[0]) for name, values in parse_qs(parts.query).items() if name in ("start", "end")}
        found = [stream for stream in self.streams if span["start"] <= _newest(stream) <= span["end"]]
        labels: dict[str, set[str]] = {}
        for stream in found:
            for name, value in dict(stream["stream"]).items():  # type: ignore[call-overload]
                labels.setdefault(name, set()).add(value)
        if parts.path == "/loki/api/v1/labels":
            return 200, json.dumps({"status": "success", **({"data": sorted(labels)} if labels else {})})
        if parts.path.endswith("/values"):
            return 200, json.dumps({"status": "success", "data": sorted(labels[parts.path.split("/")[-2]])})
        return 200, json.dumps({"status": "success", "data": {"resultType": "streams", "result": found[:1]}})


class FakePromtail(_Answers):
    """Keeps what Loki does not take, and tries again with the next line."""

    def __init__(self, loki: str) -> None:
        self.loki = loki
        self._waiting: list[str] = []
        self._read = self._sent = 0
        super().__init__()

    def read(self, line: str) -> None:
        self._read += 1
        self._waiting.append(line)
        now = str(time.time_ns())
        stream = {"stream": {"job": "containers", "service": "web"}, "values": [[now, line] for line in self._waiting]}
        try:
            done = requests.post(f"{self.loki}/loki/api/v1/push", json={"streams": [stream]}, timeout=5)
        except requests.RequestException:
            return
        if done.ok:
            self._sent += len(self._waiting)
            self._waiting.clear()

    def restart(self) -> None:
        self._read = self._sent = 0

    def answer(self, method: str, path: str, content: bytes) -> tuple[int, str]:
        if path == "/ready":
            return 200, "Ready"
        host = f'{{host="{urlsplit(self.loki).netloc}"}}'
        return 200, f'promtail_read_lines_total{{path="web"}} {self._read}\npromtail_sent_entries_total{host} {self._sent}\n'


def _newest(stream: dict[str, object]) -> int:
    return max(int(value[0]) for value in stream["values"])  # type: ignore[attr-defined]
