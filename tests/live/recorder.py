"""A proxy before a real server: writes down what is said, and loses answers when it is told to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import requests

from tests.fakes.http import Server

_KEPT = ("X-Total-Count", "Retry-After")
"""Headers of answers that the client looks at."""


_SENT = ("Authorization", "Content-Type", "X-Nomad-Token", "X-Consul-Token", "X-Vault-Token")


class Recorder:
    def __init__(self, upstream: str, metrics: tuple[str, ...] = ("process_start_time_seconds ",)) -> None:
        """`metrics` are the beginnings of those lines of metrics that are worth keeping."""
        self.upstream = upstream
        self.metrics = metrics
        self.exchanges: list[dict[str, Any]] = []
        self.lose = 0
        """Answers to statuses that are lost: Gitea has stored them, the client sees its connection end."""
        self.guard = threading.Lock()
        self._server = Server(0, type("Handler", (_Handler,), {"recorder": self}))
        self.url = f"http://127.0.0.1:{self._server.port}"

    def close(self) -> None:
        self._server.stop()

    def save(self, path: Path, *, version: str, token: str, name: str = "Gitea") -> None:
        """An exchange a line, with no token in it and the server at an address that means nothing."""
        head = json.dumps({"server": f"{name} {version}", "token": token, "exchanges": []})
        lines = ",\n".join(json.dumps(exchange, ensure_ascii=False) for exchange in self.exchanges)
        text = f"{head.removesuffix(']}')}\n{lines}\n]}}\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        host = f"{name.lower()}.example"
        path.write_text(text.replace(self.upstream, f"http://{host}").replace("127.0.0.1", host))


def _content(answer: requests.Response, metrics: tuple[str, ...]) -> dict[str, Any]:
    """JSON, or text; of metrics those that somebody reads."""
    if not answer.headers.get("Content-Type", "").startswith("text/plain"):
        return {"json": answer.json() if answer.content else None}
    told = [f"{line}\n" for line in answer.text.splitlines() if line.startswith(metrics)]
    return {"text": "".join(told) or answer.text}


def _parsed(body: bytes) -> Any:
    """JSON, where it is: a login is a form, and nobody's to keep."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    recorder: ClassVar[Recorder]

    def _serve(self) -> None:
        recorder = self.recorder
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name in _SENT}
        answer = requests.request(
            self.command, f"{recorder.upstream}{self.path}", data=body, headers=headers, timeout=30, allow_redirects=False
        )
        kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
        with recorder.guard:
            recorder.exchanges.append(
                {
                    "request": {"method": self.command, "path": self.path, "json": _parsed(body)},
                    "response": {
                        "status": answer.status_code,
                        "headers": kept,
                        **_content(answer, recorder.metrics),
                    },
                }
            )
            lost = self.command == "POST" and "/statuses/" in self.path and recorder.lose > 0
            recorder.lose -= lost
        if lost:
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        kind = answer.headers.get("Content-Type", "application/json")
        for name, value in {**kept, "Content-Type": kind, "Content-Length": str(len(answer.content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_DELETE = do_PATCH = _serve  # noqa: N815 -- the names http.server asks for

    def log_message(self, *_: object) -> None:
        pass
