"""Programs that read their files again over HTTP and tell in their metrics what came of it: Prometheus, Alloy."""

from __future__ import annotations

import time
from typing import ClassVar, NamedTuple

from gitops_agent.errors import ApplyFailed
from gitops_agent.file_target.server import ServerTarget
from gitops_agent.model import Health, HealthStatus

_PAUSE = 0.05
"""Seconds between looks at the metrics."""


class _Loaded(NamedTuple):
    """What the program says of its last reload; `at` is in seconds since 1970."""

    successful: bool
    at: float


class ReloadedTarget(ServerTarget):
    """A kind says the names of the two metrics."""

    ready = "/-/ready"
    successful: ClassVar[str]
    """Metric that is 1 after a reload that succeeded, 0 after one that did not."""
    at: ClassVar[str]
    """Metric that tells when the last one that succeeded was, in seconds since 1970."""
    off: ClassVar[str]
    """What to do where the program does not let itself be told over HTTP."""
    _before: _Loaded | None = None

    def reload(self) -> None:
        self._before = self._loaded() if self.api.listens() else None
        if self.settings.reload:
            self.run_reload()
        elif self._before is not None:
            self.told("/-/reload", self.off)

    def verify(self) -> None:
        before, kind = self._before, self.settings.kind
        if before is None:  # it opens its port before it reads its configuration: what it reads is what is published
            return
        deadline = time.monotonic() + self.settings.reload_timeout
        while (now := self._loaded()).at <= before.at or not now.successful:
            if before.successful and not now.successful:
                raise ApplyFailed(f"{kind} refused the new files ({self.successful} is 0)")
            if time.monotonic() > deadline:
                raise ApplyFailed(f"{kind} has not reloaded its configuration within {self.settings.reload_timeout:g} s")
            time.sleep(_PAUSE)

    def health(self) -> Health:
        health = super().health()
        if health.status is HealthStatus.HEALTHY and not self._loaded().successful:
            kind = self.settings.kind
            return Health(HealthStatus.DEGRADED, f"{kind} refused its files at the last reload and still uses older ones")
        return health

    def _loaded(self) -> _Loaded:
        return _Loaded(bool(self.metric(self.successful)), self.metric(self.at) or 0)
