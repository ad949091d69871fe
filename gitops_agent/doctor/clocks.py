"""Clocks that agree: of this host, of the engine's machine, of each system. A virtual machine that slept lags behind until somebody
sets it, and then tokens, identities and certificates begin or end at the wrong time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path

from gitops_agent import moments
from gitops_agent.api import Api
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.errors import AgentError

_APART = 5.0
"""Seconds that two clocks may differ; NTP keeps them within a tenth."""
_STEP = (
    "on the one that is wrong: sudo chronyc makestep; Colima after sleep: colima ssh -- sudo hwclock --hctosys, or colima restart"
)


def look(places: Mapping[str, tuple[str, str, Path | None]], engine: Callable[[], float] | None = None) -> Findings:
    """`places` are address, path and CA certificates of something that answers with a `Date`, by system. `engine` tells the time of
    Docker's machine in epoch seconds. What does not answer is told elsewhere."""
    for system, (address, path, ca_file) in places.items():
        with closing(Api(system, address, timeout=3, ca_file=ca_file)) as api:
            try:
                yield compare(api, path, system, _STEP)
            except AgentError:
                continue
    if engine is not None:
        before = time.time()
        try:
            there = engine()
        except AgentError:
            return
        yield _finding("Docker's machine", there - before, 0.0, _STEP)


def compare(api: Api, path: str, what: str, remedy: str) -> Finding:
    """The clock of whatever answers, by its `Date`: that is in whole seconds, and as old as the answer. Raises Unavailable."""
    begin, before = time.monotonic(), time.time()
    headers = api.call("GET", path, accept=range(300, 600)).headers
    took = time.monotonic() - begin
    said = headers.get("Date", "")
    if not said:
        return Finding("clocks", what, True, "does not tell its time")
    return _finding(what, parsedate_to_datetime(said).timestamp() + 0.5 - (before + took / 2), 0.5 + took / 2, remedy)


def _finding(what: str, ahead: float, uncertain: float, remedy: str) -> Finding:
    """`ahead` and `uncertain` in seconds."""
    if abs(ahead) - uncertain <= _APART:
        return Finding("clocks", what, True, "agrees with this host")
    said = f"is {moments.duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} this host"
    return Finding("clocks", what, False, said, f"{remedy} (this host says {moments.clock(time.time())})")
