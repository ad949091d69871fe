"""The child process as its parent sees it: pipes with deadlines, and how it died."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from typing import IO, Any

from gitops_agent import process
from gitops_agent.render import frames

_STARTING = 30.0
"""Seconds until a child that does not report for work has failed; it takes 0.1 s on an idle host."""
_CHUNK = 1 << 16
_LAST_WORDS = 500
_LONGEST_ANSWER = 256 << 20
"""Bytes of one answer: what the longest rendered file can be, written in JSON."""


class Cause(Enum):
    """Why a child did not answer."""

    TIME = "used up its processor time"
    MEMORY = "ran out of memory"
    CLOCK = "was given no time by the host"
    KILLED = "was killed from outside"
    CRASHED = "crashed"
    BROKEN = "ended with an error of its own"


class Died(Exception):
    def __init__(self, cause: Cause, last_words: str = "") -> None:
        self.cause = cause
        self.last_words = last_words
        super().__init__(cause.value)


class Peer:
    """One child process. After `Died` there is nothing to do with it but `end` it."""

    def __init__(self, memory: int) -> None:
        # Nothing of the agent's environment: there are tokens in it. -I: nothing of the directory it was started in.
        self._process = process.start(
            [sys.executable, "-I", "-m", "gitops_agent.render.child", str(memory)], env=dict.fromkeys(os.environ)
        )
        self._stdin, self._stdout, self._stderr = map(_open, (self._process.stdin, self._process.stdout, self._process.stderr))
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)
        self._received = bytearray()
        self._ready = False
        self.used = False
        """Whether it has been asked before: it may have died since, or be full of what it remembers."""

    def ask(self, request: dict[str, Any], answers: int, seconds: float) -> Iterator[dict[str, Any]]:
        """The answers as they come: as many as asked for, or fewer, the last of them an `error`. Raises Died."""
        try:
            if not self._ready:
                self._receive(time.monotonic() + _STARTING)
                self._ready = True
            self.used = True
            deadline = time.monotonic() + seconds
            with suppress(BrokenPipeError):  # what it said last is still to be read
                self._send(frames.encode(request), deadline)
            for _ in range(answers):
                answer = self._receive(deadline)
                if "memory" in answer:
                    raise Died(Cause.MEMORY)
                yield answer
                if "error" in answer:
                    return
        except TimeoutError:
            raise Died(Cause.CLOCK) from None
        except (EOFError, ValueError):
            raise self._autopsy() from None

    def kill(self) -> None:
        """Kills it at once. From any thread."""
        self._process.kill()

    def end(self) -> None:
        """Kills it and leaves nothing behind. Only from the thread that asks."""
        self.kill()
        self._process.wait()
        for stream in (self._stdin, self._stdout, self._stderr):
            stream.close()

    def _autopsy(self) -> Died:
        self.kill()  # its pipes are closed; should it live still, it is not working for us any more
        status = -self._process.wait()
        if status == signal.SIGPROF:
            return Died(Cause.TIME)
        if status in (signal.SIGKILL, signal.SIGTERM):
            return Died(Cause.KILLED)
        return Died(
            Cause.CRASHED if status > 0 else Cause.BROKEN, self._stderr.read().decode(errors="replace").strip()[-_LAST_WORDS:]
        )

    def _send(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            _wait(self._stdin.fileno(), select.POLLOUT, deadline)
            left = left[os.write(self._stdin.fileno(), left[:_CHUNK]) :]

    def _receive(self, deadline: float) -> dict[str, Any]:
        def read(length: int) -> bytes:
            while len(self._received) < length:
                _wait(self._stdout.fileno(), select.POLLIN, deadline)
                chunk = os.read(self._stdout.fileno(), _CHUNK)
                if not chunk:
                    raise EOFError
                self._received += chunk
            data = bytes(self._received[:length])
            del self._received[:length]
            return data

        return frames.decode(read, _LONGEST_ANSWER)


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("a stream of the renderer is no pipe")
    return stream


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError
