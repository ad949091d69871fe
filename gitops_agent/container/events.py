"""What happens to containers, as it happens."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

from gitops_agent.container.connection import connect, naming
from gitops_agent.container.shapes import Event
from gitops_agent.errors import Unavailable

_TICK = 2.0
"""Seconds without an event after which `events` says so."""


def events(labels: Sequence[str] = (), *, address: str = "", since: str = "") -> Generator[Event | None]:
    """What happens to containers with all these labels, from `since` on; None at the start and when nothing did for a moment.

    Never ends by itself; has a connection of its own. Raises Unavailable when it breaks: go on with the last event's `time`.
    """
    api = connect(address, 60)
    with naming("events"):
        # The annotations of the SDK are narrower than the API, which takes seconds with nanoseconds as text.
        moment: Any = since or None
        stream = api.events(since=moment, filters={"type": ["container"], "label": list(labels)}, decode=True)
    heard: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def listen() -> None:
        with suppress(Exception):  # closed or broken: the None tells both
            for event in stream:
                heard.put(event)
        heard.put(None)

    threading.Thread(target=listen, name="docker events", daemon=True).start()
    try:
        yield None
        while True:
            try:
                event = heard.get(timeout=_TICK)
            except queue.Empty:
                yield None
                continue
            if event is None:
                raise Unavailable("docker: the event stream ended")
            yield Event.of(event)
    finally:
        with suppress(Exception):
            stream.close()
        api.close()
