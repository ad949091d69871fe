"""Times in words, as pages and commands say them. A moment is in epoch seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def duration(seconds: float) -> str:
    """`42 ms`, `3.2 s`, `2 min 5 s`, `1 h 3 min`, `89 d 23 h`."""
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = whole // 60
    if whole >= 2 * 86400:
        hours = minutes // 60
        return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def ago(moment: float) -> str:
    """`just now`, `12 s ago`, `3 min ago`, `5 d ago`; `in 8 s` for what is to come."""
    distance = time.time() - moment
    if -1 < distance < 3:
        return "just now"
    size = abs(distance)
    for unit, word in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if size >= unit:
            amount = f"{int(size // unit)} {word}"
            return f"{amount} ago" if distance > 0 else f"in {amount}"
    return "now"


def epoch(text: str) -> float | None:
    """The moment in what programs in Go write, `2026-11-23T20:53:07.123456789Z`; None for nothing, and for their zero time."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(f"{text[:19]}+00:00").timestamp()


def clock(moment: float) -> str:
    """`2026-11-23 20:53:07 UTC`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
