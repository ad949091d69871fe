"""What rings the bell by itself: the branch's ref on this host's disk, and the systems that tell when something changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from gitops_agent import watch
from gitops_agent.secret import mask
from gitops_agent.settings import EnvironmentSettings
from gitops_agent.target import Drift, Target

_log = logging.getLogger(__name__)
_AGAIN = 10.0
"""Seconds before a watch that ended with an error is begun again; meanwhile the resync finds drift."""


class Watching:
    """The watches of one environment. `start` begins them, `close` ends them."""

    def __init__(self, settings: EnvironmentSettings, targets: Sequence[Target], ring: Callable[[str], None]) -> None:
        self._settings = settings
        self._targets = [target for target in targets if target.settings.drift is not Drift.IGNORE]
        self._ring = ring
        self._stop = threading.Event()
        self._refs: watch.Watch | None = None

    def start(self) -> None:
        if self._settings.refs is not None:
            self._refs = watch.ref(self._settings.refs, self._settings.branch, self._ring)
        for target in self._targets:
            if type(target).watch is not Target.watch:
                threading.Thread(target=self._follow, args=(target,), name=f"watch {target.name}", daemon=True).start()

    def close(self) -> None:
        self._stop.set()
        if self._refs is not None:
            self._refs.close()

    def _follow(self, target: Target) -> None:
        while not self._stop.is_set():
            try:
                for reason in target.watch():
                    if self._stop.is_set():
                        return
                    if reason:
                        self._ring(f"drift: {target.name} {reason}")
            except Exception as error:  # noqa: BLE001 -- a watch is a convenience: whatever ends it, the resync goes on
                _log.info("watch ended", extra={"target": target.name, "why": mask(str(error))})
            self._stop.wait(_AGAIN)
