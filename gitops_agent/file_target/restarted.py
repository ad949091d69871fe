"""Programs that read their files only when they start: restarted by a command, and seen to be another process than before."""

from __future__ import annotations

import time

from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.file_target.server import ServerTarget

_PAUSE = 0.1
"""Seconds between looks."""


class RestartedTarget(ServerTarget):
    """`reload` of the settings is the command that restarts it."""

    _before: float | None = None
    """When the process of before started; None where nothing was restarted."""

    def reload(self) -> None:
        self._before = None
        if self.api.listens():  # a program that does not run reads its files when it starts; its container may not exist yet
            before = self._started()
            self.run_reload()
            self._before = before

    def verify(self) -> None:
        if self._before is None:
            return
        deadline = time.monotonic() + self.settings.reload_timeout
        said = "is still the process of before"
        while True:
            try:
                if self._started() > self._before:
                    self.call("GET", self.ready)
                    return
            except Unavailable as error:
                said = str(error)
            if time.monotonic() > deadline:
                raise ApplyFailed(f"{self.settings.kind} did not come back within {self.settings.reload_timeout:g} s: {said}")
            time.sleep(_PAUSE)

    def _started(self) -> float:
        """Seconds since 1970, to a hundredth."""
        return self.metric("process_start_time_seconds") or 0
