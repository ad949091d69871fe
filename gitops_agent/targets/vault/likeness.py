"""Compares what the author wrote with what Vault made of it: durations, numbers and lists written as text, order, empty fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")


def seconds(text: object) -> float | None:
    """What a duration (`90s`, `1h30m`, `7d`) says, None for what is none."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h|d)", text))


def empty(value: Any) -> bool:
    """Whether it says nothing: what Vault answers for a field that nobody set."""
    if isinstance(value, Mapping):
        return all(empty(inner) for inner in value.values())
    return value is None or value is False or value in ("", 0, []) or seconds(value) == 0


def same(desired: Any, live: Any) -> bool:
    """Whether both mean the same to Vault."""
    if desired == live and isinstance(desired, bool) == isinstance(live, bool):
        return True
    if empty(desired) and empty(live):
        return True
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        return all(same(desired.get(name), live.get(name)) for name in {*desired, *live})
    if isinstance(live, list):
        return _same_list([part.strip() for part in desired.split(",")] if isinstance(desired, str) else desired, live)
    if isinstance(desired, Mapping | list) or isinstance(live, Mapping):
        return False
    return bool(_scalar(desired) == _scalar(live))


def _same_list(desired: Any, live: list[Any]) -> bool:
    if not isinstance(desired, list):
        desired = [desired]
    if len(desired) == len(live) and all(same(one, other) for one, other in zip(desired, live, strict=True)):
        return True
    # The order of names means nothing, that of sentences (a database's statements) does.
    return all(map(_is_name, (*desired, *live))) and {*map(str, desired)} == {*map(str, live)}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and re.search(r"\s", value) is None


def _scalar(value: Any) -> Any:
    """`true` and "true", 3 and "3", 1800 and "30m" are one thing; so is a text with and without white space at its ends."""
    if isinstance(value, bool):
        return str(value).lower()
    duration = seconds(value)
    if duration is not None:
        return duration
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip()
    return float(text) if re.fullmatch(r"\d{1,15}", text) else text
