"""Which nginx workers answer, and who replaced them.

A reload was accepted when new workers exist, and is complete when every worker of before is shutting down: those have closed their
listening sockets, so that each new connection meets a new one. Measured against a stream of requests this holds to the millisecond
and needs no marker in the published files. A refused reload leaves the workers as they were.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from gitops_agent.errors import ApplyFailed
from gitops_agent.targets.nginx.program import Nginx, Presence

_REFUSED = re.compile(r"\[emerg\] (?:\d+#\d+: )?(?P<said>.+)")
_RETRIED = "bind() to"
"""nginx tries five times, half a second apart, before it gives up on an address: until then it may still succeed."""
_LOOP = 3
"""Foreign reloads, one after the other, that make a loop."""
_FORGET = 5
"""Times the usual distance without another one, and it is over."""


def reload(nginx: Nginx, timeout: float) -> Mapping[int, bool] | None:
    """Gives the workers of before; None, with nothing done, where nginx does not run and will read its files when it starts.

    One that is just starting is waited for: whether it has read the old files or the new ones, nobody knows, and the workers that
    come of it could not be told from those that come of the reload.
    """
    deadline = time.monotonic() + timeout
    while (sight := nginx.look()).presence in (Presence.RUNNING, Presence.STARTING):
        if sight.workers:
            nginx.reload(sight)
            return sight.workers
        if time.monotonic() > deadline:
            raise ApplyFailed(f"nginx has been starting for {timeout:g} s")
        time.sleep(nginx.pause)
    return None


def verify(nginx: Nginx, before: Mapping[int, bool], timeout: float) -> frozenset[int]:
    """Waits until every answer is new; gives the new workers. Raises ApplyFailed with nginx's own words when it refused."""
    deadline = time.monotonic() + timeout
    while True:
        sight = nginx.look()
        if sight.presence is not Presence.RUNNING:
            raise ApplyFailed("nginx ended while it was reloaded")
        now = sight.workers
        new = frozenset(now) - frozenset(before)
        if new and not any(now.get(pid) for pid in before):
            return new
        refused = _REFUSED.findall(nginx.complaints()) if not new else []
        late = time.monotonic() > deadline
        if refused and (late or not refused[-1].startswith(_RETRIED)):
            raise ApplyFailed(
                f"nginx keeps its old configuration: {next((said for said in refused if 'still' not in said), refused[-1])}"
            )
        if late:
            what = "old workers still take connections" if new else "it keeps its old configuration"
            raise ApplyFailed(f"nginx was reloaded, but {what} after {timeout:g} s")
        time.sleep(nginx.pause)


class ForeignReloads:
    """Notices somebody else who reloads nginx again and again: then what was published is loaded before it was checked together,
    and a verdict on a reload may be about another one. Is told of our own, and shown the workers now and then."""

    def __init__(self) -> None:
        self._known: frozenset[int] = frozenset()
        self._times: list[float] = []

    def ours(self, workers: frozenset[int] = frozenset()) -> None:
        """These workers come from a reload of ours; none while it is under way."""
        self._known = workers

    def look(self, workers: Mapping[int, bool]) -> str:
        """What to say of it, empty where there is no loop."""
        now, moment = frozenset(pid for pid, takes in workers.items() if takes), time.monotonic()
        # A worker that died is replaced alone; a reload replaces all.
        if now and self._known and not now & self._known:
            self._times = [*self._times[-_LOOP + 1 :], moment]
        self._known = now or self._known
        if len(self._times) < _LOOP:
            return ""
        every = (self._times[-1] - self._times[0]) / (len(self._times) - 1)
        if moment - self._times[-1] > _FORGET * every:
            self._times = []
            return ""
        return f"something else reloads nginx about every {every:.0f} s"
