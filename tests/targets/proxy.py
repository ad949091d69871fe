"""Stands between the agent and a system's HTTP API and writes down every call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.calls: list[str] = []
        """`GET /v1/kv/mini/?recurse=true`, in the order they came."""
        self.rewrite: Callable[[str, bytes], bytes] = lambda _path, content: content
        """Changes what the system answered to a path."""
        calls, address, proxy = self.calls, urlsplit(upstream).netloc, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _forward(self) -> None:
                calls.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    with closing(HTTPConnection(address, timeout=30)) as connection:
                        headers = {name: value for name, value in self.headers.items() if name != "Accept-Encoding"}
                        connection.request(self.command, self.path, body, headers)
                        response = connection.getresponse()
                        content = proxy.rewrite(self.path, response.read())
                except (OSError, HTTPException):  # the system is gone: so are we
                    self.close_connection = True
                    return
                self.send_response(response.status)
                for name, value in response.getheaders():
                    if name not in ("Content-Length", "Transfer-Encoding", "Date"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                with suppress(ConnectionError):  # a watch that ended did not wait for its answer
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = _forward  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith(("GET", "LIST"))]

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
