"""Logging: one line an event on standard error, text for people or JSON for Promtail, every line masked.

The mask is handed in by `app`: this layer knows nothing of secrets.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class _Line(logging.Formatter):
    def __init__(self, mask: Callable[[str], str], *, as_json: bool) -> None:
        super().__init__()
        self._mask = mask
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        extra = {name: value for name, value in record.__dict__.items() if name not in _PLAIN}
        event: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **extra,
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        if self._as_json:
            return self._mask(json.dumps(event, default=str))
        tail = "".join(f" {name}={value}" for name, value in extra.items())
        traceback = f"\n{event['traceback']}" if "traceback" in event else ""
        return self._mask(f"{event['time']} {event['level']:<7} {event['event']}{tail}{traceback}")


def configure(mask: Callable[[str], str], *, level: str = "info", as_json: bool = False) -> None:
    """Sends everything through one handler. `extra` of a log call becomes fields of the line. Call once, at start."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line(mask, as_json=as_json))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Each says per request what we say per change.
    for noisy in ("urllib3", "git", "docker", "watchdog", "waitress.queue"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # That a directory is watched no more while it was read is an error to it, and each publication of ours to us.
    logging.getLogger("watchdog.observers.inotify").addFilter(lambda record: "thread is inactive" not in record.getMessage())
