"""The process that renders. Started with an empty environment; before it reads a template it takes from itself what it does not
need."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
from typing import Any

from gitops_agent.errors import InvalidRevision
from gitops_agent.render import frames
from gitops_agent.render.engine import Engine

_DESCRIPTORS = 16


def main() -> None:
    """Says `ready`, then answers requests until its standard input ends or its memory does."""
    _confine(int(sys.argv[1]))
    engine = Engine()
    gc.collect()
    gc.freeze()
    _send({"ready": True})
    try:
        while True:
            _serve(engine, frames.decode(_read))
            gc.collect()
    except EOFError:
        return
    except MemoryError:
        pass  # what it held is free again only now, outside the handler
    _send({"memory": True})


def _confine(memory: int) -> None:
    os.chdir("/")
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    for limit, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def _serve(engine: Engine, request: dict[str, Any]) -> None:
    """Sends a `text` for each step as soon as it is done, or the `error` that ends it."""
    # Processor time, not the clock's: a host that is busy is not the author's mistake. Nothing catches the signal, it kills.
    signal.setitimer(signal.ITIMER_PROF, request["seconds"])
    try:
        for text in engine.render(request):
            _send({"text": text})
    except InvalidRevision as error:
        _send({"error": error.message, "file": error.file, "line": error.line})
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _read(length: int) -> bytes:
    data = sys.stdin.buffer.read(length)
    if len(data) < length:
        raise EOFError
    return data


def _send(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(frames.encode(message))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
