"""A real nginx for tests, and what a supervisor does: it is started again whenever it is down and has a configuration."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    body: bytes
    extra: str | None
    """The header `X-Extra`."""


def ask(port: int, host: str) -> Answer:
    """One request over a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        return Answer(response.status, response.read(), response.getheader("X-Extra"))
    finally:
        connection.close()


def ask_until_it_answers(port: int, host: str, *, within: float = 10) -> Answer:
    deadline = time.monotonic() + within
    while True:
        try:
            return ask(port, host)
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Server:
    """nginx with `prefix` for logs, pid file and temporary directories."""

    def __init__(self, binary: str, prefix: Path, config: Path) -> None:
        self.prefix = prefix
        self.config = config
        self.pid_file = prefix / "nginx.pid"
        self._command = [binary, "-p", str(prefix), "-c", str(config)]
        self._held = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._supervise, daemon=True)
        prefix.mkdir(exist_ok=True)

    @contextmanager
    def supervised(self) -> Iterator[Server]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()
            self.kill()

    @contextmanager
    def down(self) -> Iterator[None]:
        self._held.set()
        try:
            self.kill()
            yield
        finally:
            self._held.clear()

    @property
    def master(self) -> int:
        try:
            pid = int(self.pid_file.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return 0
        return pid

    def workers(self) -> set[int]:
        """Those that take connections, read without the agent's help."""
        listed = subprocess.run(["ps", "--ppid", str(self.master), "-o", "pid=,args="], capture_output=True, text=True, check=False)
        rows = [row.split(maxsplit=1) for row in listed.stdout.splitlines()]
        return {int(pid) for pid, title in rows if title.strip() == "nginx: worker process"}

    def start(self) -> None:
        subprocess.run(self._command, check=True, capture_output=True, timeout=20)

    @contextmanager
    def starting_slowly(self) -> Iterator[None]:
        """On one processor with who watches, who has more right to it: each stage of a start lasts long enough to be seen."""
        all_of_them = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(all_of_them)})
        try:
            with subprocess.Popen(["nice", "-n", "5", *self._command]):
                yield
        finally:
            os.sched_setaffinity(0, all_of_them)

    def kill(self) -> None:
        deadline = time.monotonic() + 60
        while pid := self.master:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _supervise(self) -> None:
        while not self._stop.wait(0.02):
            if not self._held.is_set() and self.config.exists() and not self.master:
                with suppress(subprocess.CalledProcessError):
                    self.start()
