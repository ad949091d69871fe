"""The systems a measurement runs against: nginx, Consul behind a counting proxy; git and Gitea come from the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PAGE = "version {version}\n"
NGINX_CONF = """\
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    server {{ listen 127.0.0.1:{port} backlog=511; location / {{ return 200 "version {version}\\n"; }} }}
}}
"""


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def until(condition: Callable[[], object], timeout: float = 20) -> float:
    """Epoch seconds when `condition` first held."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(condition)
        time.sleep(0.001)
    return time.time()


def ask(url: str) -> str:
    """A page over a new connection; empty where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@contextmanager
def program(*command: str | Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs it as long as the context lasts, in a process group of its own."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield started
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(10)


@contextmanager
def nginx(directory: Path, port: int) -> Iterator[str]:
    """An nginx with version 0 published as the agent does it; gives the URL."""
    first = directory / "versions/0000-first"
    first.mkdir(parents=True)
    (first / "nginx.conf").write_text(NGINX_CONF.format(directory=directory, port=port, version="0"))
    (directory / "current").symlink_to("versions/0000-first")
    binary = shutil.which("nginx") or "nginx"
    config = str(directory / "current/nginx.conf")
    with program(binary, "-p", directory, "-e", "stderr", "-c", config, "-g", "daemon off;", log=directory / "nginx.log"):
        until(lambda: ask(f"http://127.0.0.1:{port}/"))
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def consul(directory: Path) -> Iterator[int]:
    """A Consul in memory, without ACLs; gives its HTTP port."""
    ports = {name: free_port() for name in ("http", "server", "serf-lan", "serf-wan", "dns")}
    flags = [f"-{name}-port={port}" for name, port in ports.items()]
    binary = shutil.which("consul") or "consul"
    with program(
        binary, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-grpc-port=-1", *flags, log=directory / "consul.log"
    ):
        until(lambda: ":" in ask(f"http://127.0.0.1:{ports['http']}/v1/status/leader"))
        yield ports["http"]


@dataclass
class CountingProxy:
    """Passes bytes on to `port` and counts HTTP requests by their first line. Requests here are small or come in one piece."""

    port: int
    host: str = "127.0.0.1"
    requests: list[str] = field(default_factory=list)

    def __enter__(self) -> CountingProxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.listen: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((self.host, self.port))
            for connection in (client, server):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, count: bool) -> None:
        try:
            while data := source.recv(1 << 20):
                line = data.split(b"\r\n", 1)[0]
                if count and line.endswith(b"HTTP/1.1"):
                    self.requests.append(line.decode().removesuffix(" HTTP/1.1"))
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for connection in (source, sink):
                connection.close()


def pss(pid: int) -> float:
    """MiB of a process and all below it, shared pages counted in shares."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            total += int(line.split()[1])
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return total / 1024 + sum(pss(int(child)) for file in children for child in file.read_text().split())
