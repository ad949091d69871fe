"""The workers of an nginx that take connections, by what the kernel says of its processes."""

from __future__ import annotations

from pathlib import Path


def serving(master: int | str) -> set[str]:
    """Their pids. One that is ending, or has ended while we looked, is none."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return {pid for pid in children if "shutting down" not in (_title(pid) or "shutting down")}


def _title(pid: str) -> str:
    """Empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
