"""Compares what the author wrote with what Consul made of it: empty fields, durations, defaults and order are its own affair."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATIONS = frozenset(
    {"BaseEjectionTime", "CacheDuration", "ConnectTimeout", "ExpirationLeeway", "IdleTimeout", "Interval", "NotBeforeLeeway"}
    | {"ClockSkewLeeway", "RequestTimeout", "TTL"}
)
_OPAQUE = ("Meta", "Config")
_EXPLICIT = frozenset(
    {"EnforcingConsecutive5xx", "MaxConcurrentRequests", "MaxConnections", "MaxEjectionPercent", "MaxPendingRequests"}
)
"""Fields in which a nought is not the same as nothing."""
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")


def nanoseconds(text: object) -> int | None:
    """What a Go duration (`90s`, `1h30m`) says, None for what is none."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        return None
    return round(sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", text)))


def go_duration(nanoseconds: int) -> str:
    """As Go writes it: `1h30m0s`, `15s`, `500ms`."""
    if nanoseconds < _UNITS["s"]:
        unit = next((unit for unit in ("ms", "µs", "ns") if nanoseconds >= _UNITS[unit]), "")
        return f"{_short(nanoseconds / _UNITS[unit])}{unit}" if unit else "0s"
    minutes, rest = divmod(nanoseconds, _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{before}{_short(rest / _UNITS['s'])}s"


def _short(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")


def durations(value: Any, field: str = "") -> Any:
    """The same with the durations in it as Go writes them, whether they are texts or nanoseconds. Only in fields that are known to
    hold some: elsewhere `90s` may be a text like any other."""
    if isinstance(value, Mapping):
        return {name: inner if name in _OPAQUE else durations(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [durations(inner) for inner in value]
    if field in _DURATIONS:
        found = value if isinstance(value, int) and not isinstance(value, bool) else nanoseconds(value)
        return value if found is None else go_duration(found)
    return value


def echo(desired: Any, live: Any, defaults: Mapping[str, Any]) -> Any:
    """`live` in the words of `desired` wherever both mean the same. What `live` says besides is kept, so that a field that was
    taken out of the repository is seen, but for empty values and `defaults`, by field name."""
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        return _mapping(desired, live, defaults)
    if isinstance(desired, list) and isinstance(live, list):
        ordered = _in_order(desired, live)
        return [echo(wanted, found, defaults) for wanted, found in zip(desired, ordered, strict=False)] + ordered[len(desired) :]
    return desired if _same(desired, live) else live


def _mapping(desired: Mapping[str, Any], live: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    def unsaid(name: str, value: Any) -> bool:
        return (empty(value) and name not in _EXPLICIT) or (name in defaults and _same(value, defaults[name]))

    shared = {name: echo(wanted, live[name], defaults) for name, wanted in desired.items() if name in live}
    left_out = {name: wanted for name, wanted in desired.items() if name not in live and unsaid(name, wanted)}
    added = {name: found for name, found in live.items() if name not in desired and not unsaid(name, found)}
    return {**shared, **left_out, **added}


def _same(desired: Any, live: Any) -> bool:
    if desired == live and isinstance(desired, bool) == isinstance(live, bool):
        return True
    if empty(desired) and empty(live):
        return True
    left, right = nanoseconds(desired), nanoseconds(live)
    if left is None and right is None:
        return False
    return (left if left is not None else desired) == (right if right is not None else live)


def empty(value: Any) -> bool:
    """Whether it says nothing: what Go leaves out of JSON, or puts in where nothing was said."""
    if isinstance(value, Mapping):
        return all(empty(inner) for inner in value.values())
    return value is None or value is False or value in ("", 0, []) or nanoseconds(value) == 0


def said(value: Any) -> Any:
    """Without what says nothing, at any depth; what is opaque to Consul stays as it is."""
    if isinstance(value, Mapping):
        told = {name: inner for name, inner in value.items() if not empty(inner) or (name in _EXPLICIT and inner is not None)}
        return {name: inner if name in _OPAQUE else said(inner) for name, inner in told.items()}
    return [said(inner) for inner in value] if isinstance(value, list) else value


def _in_order(desired: list[Any], live: list[Any]) -> list[Any]:
    """Where all have names that differ, their order is Consul's (it sorts intentions by precedence)."""
    position = {_named(one): index for index, one in enumerate(desired)}
    named = [_named(one) for one in live]
    if None in position or None in named or len(position) != len(desired) or len({*named}) != len(live):
        return live
    return sorted(live, key=lambda one: position.get(_named(one), len(position)))


def _named(one: Any) -> tuple[str, ...] | None:
    if not isinstance(one, Mapping) or "Name" not in one:
        return None
    return tuple(str(one.get(field) or "") for field in ("Name", "Peer", "Partition", "Namespace", "SamenessGroup"))
