"""What nginx of the stack leads to: a name server for the services' names, and services that say what they were asked.

Each service has a loopback address of its own, so that ports are those that the stack has.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NETWORK = f"127.{os.getpid() % 200 + 25}.{os.getpid() // 200 % 250}"
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Backends:
    """`start(name, port)` makes a service known and answer; until then its name does not exist."""

    def __init__(self, running: ExitStack) -> None:
        self._running = running
        self._addresses: dict[str, str] = {}
        self._refused: dict[str, int] = {}
        self.go_on = threading.Event()
        """What /stream waits for between its two parts."""
        self.resolver = f"{NETWORK}.1:{self._serve(_name_server(self._addresses), socketserver.UDPServer)}"

    def start(self, name: str, port: int, tcp: bytes = b"") -> None:
        """HTTP, or with `tcp` a service that says this to whoever connects."""
        address = self._addresses.setdefault(name, f"{NETWORK}.{len(self._addresses) + 2}")
        if tcp:
            server: Any = socketserver.ThreadingTCPServer((address, port), _greeter(tcp))
        else:
            server = _HttpServer((address, port), name, self.go_on, self._refused)
        self._run(server)

    def address(self, name: str) -> str:
        return self._addresses[name]

    def refuse(self, name: str, status: int) -> None:
        """From now on it answers everything with this."""
        self._refused[name] = status

    def _serve(self, handler: type[socketserver.BaseRequestHandler], kind: type[socketserver.UDPServer]) -> int:
        server = kind((f"{NETWORK}.1", 0), handler)
        self._run(server)
        return int(server.server_address[1])

    def _run(self, server: socketserver.BaseServer) -> None:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        self._running.callback(server.server_close)
        self._running.callback(thread.join)
        self._running.callback(server.shutdown)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], name: str, go_on: threading.Event, refused: dict[str, int]) -> None:
        super().__init__(address, _Service)
        self.name = name
        self.go_on = go_on
        self.refused = refused

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections end when nginx does."""


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self._upgrade()
        elif self.path == "/stream":
            self._stream()
        else:
            self._say({"service": self.server.name, "path": self.path, "headers": dict(self.headers)})

    def do_POST(self) -> None:
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left and (part := self.rfile.read(min(left, 1 << 20))):
            digest.update(part)
            left -= len(part)
        self._say({"sha256": digest.hexdigest()})

    def _say(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(self.server.refused.get(self.server.name, 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        """The second part comes when the first has been seen."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nfirst\r\n")
        self.server.go_on.wait(20)
        self.wfile.write(b"6\r\nsecond\r\n0\r\n\r\n")

    def _upgrade(self) -> None:
        """After the handshake, one unmasked frame for each byte that comes."""
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode())
        self.end_headers()
        while byte := self.rfile.read(1):
            self.wfile.write(b"\x81\x01" + byte)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the library's name
        pass


def _greeter(said: bytes) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(said)

    return Handler


def _name_server(addresses: dict[str, str]) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, answer_to = self.request
            name, end = _name(question)
            address = addresses.get(name)
            flags = b"\x81\x80" if address else b"\x81\x83"  # NXDOMAIN, as Docker's own says of a container that is not there
            answer = question[:2] + flags + b"\0\1" + (b"\0\1" if address else b"\0\0") + b"\0\0\0\0" + question[12:end]
            if address:
                answer += b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(address)
            answer_to.sendto(answer, self.client_address)

    return Handler


def _name(question: bytes) -> tuple[str, int]:
    """The name that is asked for, and where the question ends."""
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += length + 1
    return ".".join(labels), at + 5


def waited(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it came true in time."""
    limit = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        limit.wait(0.02)
    return condition()
