"""Runs `converge` in a process of its own and kills it (SIGKILL) as it is about to make its Nth external call.

What counts as a call needs no knowledge of the kind: Python's audit events for every file opened for writing, renamed, linked or
removed, every program started, every signal sent, every connection made and every piece of an HTTP request sent.

    python -m tests.conformance.killing        reads a job a line, forks for each (so that imports are paid once), answers a line
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_agent import process
from gitops_agent.model import Files
from gitops_agent.target import Site
from tests.conformance.converge import converge
from tests.conformance.subject import Subject, build

_CALLS = frozenset(
    {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.truncate", "os.chmod", "os.chown", "os.utime"}
    | {"os.kill", "os.killpg", "os.posix_spawn", "subprocess.Popen", "socket.connect", "http.client.send"}
    | {"gitops_agent.postgres.do"}  # libpq's own writes go unseen
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CALL = "a call"
_ORPHANS = 60
"""Seconds until programs that a killed agent left behind must have ended."""


@dataclass(frozen=True)
class Ended:
    """How one job went. `calls` were made before the end, `killed` says that the Nth was reached, `error` is a traceback."""

    killed: bool
    calls: int
    error: str


class Killer:
    """A driver process for one subject."""

    def __init__(self, child: subprocess.Popen[str], subject: Subject) -> None:
        self._child = child
        self._subject = subject

    def converge(self, files: Files, *, applied: Files | None, kill_at: int) -> Ended:
        """`kill_at` counts from 1; 0 lets it run to its end."""
        site = self._subject.site()
        job = {
            "kind": self._subject.kind,
            "settings": self._subject.settings(),
            "environment": site.environment,
            "directory": str(site.directory),
            "key": site.key.hex(),
            "files": _packed(files),
            "applied": None if applied is None else _packed(applied),
            "kill_at": kill_at,
        }
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(job) + "\n")
        self._child.stdin.flush()
        return Ended(**json.loads(self._child.stdout.readline()))


@contextmanager
def killer(subject: Subject) -> Iterator[Killer]:
    command = [sys.executable, "-B", "-m", "tests.conformance.killing"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        yield Killer(child, subject)


def _packed(files: Files) -> dict[str, str]:
    return {path: base64.b64encode(content).decode() for path, content in files.items()}


def _unpacked(files: dict[str, str]) -> Files:
    return {path: base64.b64decode(content) for path, content in files.items()}


def _serve() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_fork(json.loads(line))) + "\n")
        sys.stdout.flush()


def _fork(job: dict[str, Any]) -> dict[str, Any]:
    news, tell = os.pipe()  # the child's account, a line each: a call, a module that it imports; then perhaps a traceback
    orphans, held = os.pipe()  # every program the child starts inherits `held`: end of file means none is left
    pid = os.fork()
    if pid == 0:
        process.inherited.add(held)
        _child(job, tell)
    os.close(tell)
    os.close(held)
    account = b""
    while read := os.read(news, 65536):
        account += read
    _, status = os.waitpid(pid, 0)
    if not select.select([orphans], [], [], _ORPHANS)[0]:
        raise TimeoutError("a program outlived the killed agent")
    os.close(news)
    os.close(orphans)
    lines, _, error = account.decode().partition("!")
    done = lines.splitlines()
    for module in dict.fromkeys(done):
        if module != _CALL and module not in sys.modules:  # so that those after it need not
            with suppress(Exception):
                importlib.import_module(module)
    return {"killed": os.WIFSIGNALED(status), "calls": done.count(_CALL), "error": error}


def _child(job: dict[str, Any], tell: int) -> None:
    try:
        target = build(job["kind"], job["settings"], Site(job["environment"], Path(job["directory"]), bytes.fromhex(job["key"])))
        applied = None if job["applied"] is None else _unpacked(job["applied"])
        _die_at(job["kill_at"], tell)
        converge(target, _unpacked(job["files"]), applied=applied)
    except BaseException:  # noqa: BLE001 -- whatever it is, the test shall show it
        import traceback

        os.write(tell, b"!" + traceback.format_exc().encode())
    os._exit(0)


def _die_at(number: int, tell: int) -> None:
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in _CALLS or (event == "open" and _writes(*arguments)):
            count += 1
            if count == number:
                signal.raise_signal(signal.SIGKILL)
            os.write(tell, f"{_CALL}\n".encode())
        elif event == "import":
            os.write(tell, f"{arguments[0]}\n".encode())

    sys.addaudithook(hook)


def _writes(path: object, _mode: object, flags: object) -> bool:
    return not isinstance(path, int) and path != os.devnull and isinstance(flags, int) and bool(flags & _WRITING)


if __name__ == "__main__":
    _serve()
