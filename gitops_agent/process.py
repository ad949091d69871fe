"""The one place that starts programs: time limits, process groups, no shell, no terminal, no secrets in what comes back.

A program inherits the descriptors in `inherited` (the environment's lock): an agent that was killed and started again waits for an
orphaned `compose up` instead of racing it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gitops_agent import secret
from gitops_agent.errors import CommandFailed, Unavailable

inherited: set[int] = set()
"""Descriptors every program gets. `lock` adds its own."""

_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL for a program that ran out of time."""
_LOOK = 0.2
"""Seconds between looks at whether a program that runs is still wanted."""
_SOON = 0.01
_REAPED = 100
"""Orphans, and waits of `_SOON` for them: what hangs in the kernel is left to it."""
_TAIL = 2000
"""Characters of output kept in an error."""


@dataclass(frozen=True)
class Completed:
    """What a program left behind. `stdout` is not masked: it is for parsing; `stderr` is, it is for people."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    env: Mapping[str, str | None] | None = None,
    cwd: str | Path | None = None,
    stdin: bytes | None = None,
    accept: Sequence[int] = (0,),
    session: bool = True,
    inherit: bool = True,
    stop: Callable[[], None] | None = None,
) -> Completed:
    """Runs a program to its end. `env` is added to the agent's own; None takes a variable away. `session`, `inherit`: see `start`.
    `stop` is called while it runs; what that raises ends the program.

    Raises CommandFailed for an exit status that is not in `accept` and when `timeout` seconds are over (then its whole process
    group is ended), Unavailable when the program does not exist.
    """
    name = Path(command[0]).name
    with start(command, env=env, cwd=cwd, session=session, inherit=inherit) as process:
        try:
            stdout, stderr = (
                process.communicate(stdin, timeout=timeout) if stop is None else _watched(process, stdin, timeout, stop)
            )
        except subprocess.TimeoutExpired:
            end_group(process)
            raise CommandFailed(f"{name} did not end within {timeout:g} s") from None
        except BaseException:
            end_group(process)
            raise
    completed = Completed(process.returncode, stdout, secret.mask(stderr.decode(errors="replace")))
    if completed.status not in accept:
        output = (completed.stderr + secret.mask(completed.text))[-_TAIL:].strip()
        last = output.splitlines()[-1] if output else "no output"
        raise CommandFailed(f"{name} exited with {completed.status}: {last}", output=output, status=completed.status)
    return completed


def _watched(
    process: subprocess.Popen[bytes], stdin: bytes | None, timeout: float, stop: Callable[[], None]
) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return process.communicate(stdin, timeout=min(_LOOK, max(0.0, deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            stdin = None  # it has been handed over
            if time.monotonic() >= deadline:
                raise
        stop()


def start(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str | None] | None = None,
    cwd: str | Path | None = None,
    log: Path | None = None,
    session: bool = True,
    inherit: bool = True,
) -> subprocess.Popen[bytes]:
    """Starts a program in a process group of its own, its streams as pipes, or what it prints appended to `log`.

    With `session` the group has a session of its own too, and so no terminal it could ask at. Linux schedules a new session as a
    group of its own (sched_autogroup), which costs a program of several processes, such as git, about 15 ms: one that asks nobody
    does without. Without `inherit` it gets no descriptors of ours: a next agent need not wait for one that touches no system.
    Raises Unavailable when the program does not exist.
    """
    output: int | BinaryIO = subprocess.PIPE if log is None else log.open("ab")
    try:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE if log is None else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None},
            cwd=cwd,
            start_new_session=session,
            process_group=None if session else 0,
            pass_fds=tuple(inherited) if inherit else (),
        )
    except OSError as error:
        raise Unavailable(f"cannot run {command[0]}: {error.strerror}") from None
    finally:
        if not isinstance(output, int):
            output.close()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends a program with all its children: SIGTERM, and SIGKILL after a moment. Reaps it."""
    for number, grace in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.communicate(timeout=grace)
        except subprocess.TimeoutExpired:
            continue
        except ValueError:  # a stream was closed before; nothing is left to read
            process.wait()
        break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # children that outlived it
    _reap(process.pid)


def _reap(group: int) -> None:
    """What is left of a group that was killed. Orphans are the agent's own children where it is process 1 of a container without an
    init; elsewhere there is nothing to do."""
    with suppress(ChildProcessError):
        for _ in range(_REAPED):
            if os.waitpid(-group, os.WNOHANG) == (0, 0):  # the kernel has not ended it yet
                time.sleep(_SOON)
