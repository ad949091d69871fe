"""waitress in a thread of this process, with limits: the agent's memory and its other threads must not notice a storm.

waitress ends idle connections but waits for ever for a request that trickles in; the channel here gives each a time limit.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

from gitops_agent.errors import ConfigError

if TYPE_CHECKING:
    from flask import Flask

LARGEST_BODY = 1 << 20
"""Bytes of a request; Gitea's payload of a push is a few KiB."""
_LARGEST_HEAD = 16 << 10
_THREADS = 4
_CONNECTIONS = 250
_FINISH = 2.0
"""Seconds that requests in hand get when the agent stops."""


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection whose requests must arrive within `seconds`, however busily they trickle."""

    seconds: float
    _began = 0.0

    def received(self, data: bytes) -> bool:
        now = time.monotonic()
        if self.request is None:
            self._began = now
        elif now - self._began > self.seconds:
            self.will_close = True
            return False
        return bool(super().received(data))


class Server:
    """A listening server; `address` is where. Requests are answered between `start` and `close`."""

    def __init__(self, app: Flask, listen: str, *, patience: float) -> None:
        self._closing = threading.Event()
        self._sockets: dict[int, Any] = {}
        prefix = app.config["APPLICATION_ROOT"]
        try:
            server = create_server(
                app,
                map=self._sockets,
                listen=listen,
                threads=_THREADS,
                connection_limit=_CONNECTIONS,
                channel_timeout=int(patience),
                cleanup_interval=1,
                max_request_header_size=_LARGEST_HEAD,
                max_request_body_size=LARGEST_BODY,
                # What waits for the rest of its body waits on the disk, not in our memory.
                inbuf_overflow=64 << 10,
                outbuf_overflow=16 << 20,  # an answer was made in memory, it can as well wait there
                url_prefix="" if prefix == "/" else prefix,
                asyncore_use_poll=True,
                log_socket_errors=False,
                ident=None,
            )
        except (OSError, ValueError) as error:
            wasyncore.close_all(self._sockets)
            raise ConfigError(f"serve.listen: cannot listen on {listen!r}: {error}") from None
        channel = type("Channel", (_Channel,), {"seconds": patience})
        self._listening = [part for part in self._sockets.values() if isinstance(part, BaseWSGIServer)]
        for part in self._listening:
            part.channel_class = channel
        self._tasks = server.task_dispatcher
        self.address = f"{self._listening[0].effective_host}:{self._listening[0].effective_port}"
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        # Said with each request that has to wait a millisecond for a thread.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Takes no new connections, finishes the requests in hand, and ends."""
        self._closing.set()
        if self._thread.is_alive():
            with suppress(OSError):  # it noticed by itself and has closed the trigger
                self._listening[0].pull_trigger()
            self._thread.join(_FINISH * 2 + 5)
        else:
            self._end()

    def _serve(self) -> None:
        while not self._closing.is_set():
            wasyncore.loop(timeout=1.0, map=self._sockets, use_poll=True, count=1)
        for part in self._listening:
            part.accepting = False
        until = time.monotonic() + _FINISH
        while self._busy() and time.monotonic() < until:
            wasyncore.loop(timeout=0.1, map=self._sockets, use_poll=True, count=1)
        self._end()

    def _busy(self) -> bool:
        channels = [part for part in list(self._sockets.values()) if isinstance(part, HTTPChannel)]
        return any(channel.requests or channel.total_outbufs_len for channel in channels)

    def _end(self) -> None:
        self._tasks.shutdown()
        wasyncore.close_all(self._sockets)


def serve(app: Flask, listen: str, *, patience: float = 20) -> Server:
    """Binds `listen` (`host:port`); call `start` on what comes back. `patience` is the seconds that a connection may be idle, and
    the seconds that one request may take to arrive. Raises ConfigError where the address cannot be had."""
    return Server(app, listen, patience=patience)
