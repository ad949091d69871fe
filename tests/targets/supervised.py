"""A real server in the foreground, and what a supervisor does: it is started whenever it is down and has its configuration."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Supervised:
    """`command` runs while `config` exists. What it prints is appended to `log`; `pid_file` names it, and is empty when it is
    down."""

    def __init__(self, command: Sequence[str | Path], config: Path, log: Path) -> None:
        self.log = log
        self.pid_file = log.with_suffix(".pid")
        self._command = [str(part) for part in command]
        self._config = config
        self._guard = threading.Lock()
        self._held = False
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()
            self.kill()

    @contextmanager
    def down(self) -> Iterator[None]:
        self._held = True
        try:
            self.kill()
            yield
        finally:
            self._held = False

    def kill(self) -> None:
        """The supervisor starts it again."""
        with self._guard:
            if self._process is not None:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()
                self.pid_file.write_text("")

    def _supervise(self) -> None:
        while not self._stop.wait(0.02):
            with self._guard:
                gone = self._process is None or self._process.poll() is not None
                if gone and not self._held and self._config.exists():
                    with self.log.open("ab") as log:
                        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                    self.pid_file.write_text(str(self._process.pid))


def get(url: str) -> Any:
    """The JSON that it answers, or the text. Raises OSError."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


def get_once_ready(url: str, ready: str, *, within: float = 30) -> Any:
    """Waits until `ready` answers 200 first."""
    deadline = time.monotonic() + within
    while True:
        try:
            get(ready)
            return get(url)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
