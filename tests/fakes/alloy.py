"""A program that answers as Alloy's source says it does: `/-/ready`, `/-/reload`, `/metrics`. Nobody held it against a real one.

A configuration that it refuses is answered with 400 and its words; it goes on with the one before.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.fakes.monitored import UNUSABLE, Monitored


class FakeAlloy(Monitored):
    """Unlike Promtail it takes an unchanged file, and keeps what it has when it refuses another."""

    def __init__(self, port: int, config: Path) -> None:
        self.successful, self.at = False, 0.0
        super().__init__(port, config)

    def get(self, path: str) -> tuple[int, str]:
        if path == "/-/ready":
            return (200, "Alloy is ready.\n") if self.loaded else (503, "Alloy is not ready.\n")
        if path == "/metrics":
            name = "alloy_config_last_load_success"
            return 200, f"{name}ful {int(self.successful)}\n{name}_timestamp_seconds {self.at}\n"
        return 404, "404 page not found"

    def post(self, path: str) -> tuple[int, str]:
        if path != "/-/reload":
            return 404, "404 page not found"
        return (200, "config reloaded\n") if self._load() else (400, "error during the initial load: cannot find the definition\n")

    def _load(self) -> bool:
        before = self.loaded
        self.successful = super()._load()
        if self.successful:
            self.at = time.time()
        else:
            self.loaded = before
        return self.successful


__all__ = ["UNUSABLE", "FakeAlloy"]
