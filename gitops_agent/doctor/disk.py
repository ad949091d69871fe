"""No disk that the agent, its files or Docker's data are on is nearly full."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from gitops_agent.doctor.finding import Finding, Findings

_FULL = 0.9
_LITTLE = 100 << 20
"""Bytes below which a disk counts as full, however large it is."""


def look(directories: Iterable[Path], full: float = _FULL) -> Findings:
    """Each file system once, by the first directory on it; `full` is the part of it that is too much."""
    seen: set[int] = set()
    for directory in directories:
        there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
        if (device := there.stat().st_dev) in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(there)
        used = 1 - usage.free / usage.total
        said = f"{used:.0%} used, {usage.free >> 20} MiB free"
        well = used < full and usage.free > _LITTLE
        remedy = f"df -h {there}; docker system df; docker image prune; docker builder prune"
        yield Finding("disk", str(there), well, said, "" if well else remedy)
