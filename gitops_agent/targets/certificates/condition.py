"""What is the matter with a certificate, in words: `valid`, or the reason of a change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gitops_agent.targets.certificates.declared import VALID
from gitops_agent.targets.certificates.pem import NoPem, Pair, load

_RENEWED_IN_THE_LAST = 3
"""As others do: renewed when a third of its life is left."""
_SLACK = timedelta(days=1)


@dataclass(frozen=True)
class Condition:
    state: str
    pair: Pair | None = None
    """None where the files could not be read."""


def look(certificate: bytes | None, key: bytes | None) -> Condition:
    """Of two files as they lie there."""
    if certificate is None or key is None:
        return Condition(f"{'its certificate' if certificate is None else 'its key'} is missing")
    try:
        pair = load(certificate, key)
    except NoPem as error:
        return Condition(f"one of its files {error}")
    return Condition(VALID if pair.belong_together else "its key belongs to another certificate", pair)


def issued(found: Condition, wanted: Mapping[str, Any], authority: Pair | None, now: datetime) -> Condition:
    """Of one that is ours to issue. `authority` is None where there is none yet."""
    pair = found.pair
    if found.state != VALID or pair is None:
        return found
    if authority is None or not pair.issued_by(authority):
        return Condition("issued by another authority", pair)
    left = pair.expires - now
    if left <= timedelta(0):
        return Condition("has expired", pair)
    # One that ends with its authority would be issued again and again.
    if left < pair.lifetime / _RENEWED_IN_THE_LAST and pair.expires < authority.expires:
        return Condition(f"expires {in_words(left)}", pair)
    if left > timedelta(days=wanted["days"]) + _SLACK:
        return Condition(f"is valid for longer than {wanted['days']} days", pair)
    return found


def provided(found: Condition, names: Collection[str], now: datetime) -> str:
    """What is the matter with one that somebody else made; empty when nothing."""
    pair = found.pair
    if found.state != VALID or pair is None:
        return found.state
    if pair.expires <= now:
        return "has expired"
    if pair.leaf.not_valid_before_utc > now:
        return "is not valid yet"
    missing = [name for name in names if not _covered(name, pair.names)]
    return f"is not for {', '.join(missing)}" if missing else ""


def in_words(left: timedelta) -> str:
    hours = int(left.total_seconds() // 3600)
    return f"in {hours // 24} days" if hours >= 48 else f"in {hours} hours"


def _covered(name: str, names: Collection[str]) -> bool:
    return name in names or f"*.{name.partition('.')[2]}" in names
