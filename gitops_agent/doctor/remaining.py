"""Time that is left, of tokens and certificates: the same words and the same limit everywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from gitops_agent import moments, secret
from gitops_agent.doctor.finding import Finding

SOON = 86400.0
"""Seconds below which a token is about to end: whoever has to act is there once a day."""


def token(system: str, what: str, left: float | None, remedy: str) -> Finding:
    """`left` in seconds, None for a token that never ends."""
    if left is None:
        return Finding(system, what, True, "is valid and never expires")
    if left <= 0:
        return Finding(system, what, False, "has expired", remedy)
    return Finding(system, what, left > SOON, f"expires in {moments.duration(left)}", "" if left > SOON else remedy)


def until(answer: Mapping[str, object]) -> float | None:
    """Seconds to the `ExpirationTime` of a token of Consul or Nomad; None where it has none."""
    ends = moments.epoch(str(answer.get("ExpirationTime") or ""))
    return None if ends is None else ends - time.time()


def stored(directory: Path, ending: str) -> Iterator[tuple[str, str]]:
    """Name and value of each secret in the agent's store whose name ends so: `prometheus-vault-token` is one of Vault's."""
    for file in sorted(directory.glob(f"*{ending}")):
        if value := read(file):
            yield file.name, value


def read(file: Path | None) -> str:
    """The token in a file; empty where there is none."""
    try:
        value = file.read_text().strip() if file is not None else ""
    except OSError:
        return ""
    if value:
        secret.remember(value)
    return value
