"""What is there and was not taken, with why: nobody shall find out later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Why(StrEnum):
    """Headings, in the order in which people read them."""

    ATTENTION = "Look at these"
    SYSTEM = "Only in the systems, and not taken"
    UNMOUNTED = "In the project's directory, but no container reads it"
    WRITTEN = "Written by programs themselves"
    CONTAINER = "Containers that Compose did not make"


@dataclass
class Left:
    """Grows while things are looked at; the same is not said twice."""

    found: dict[Why, dict[str, str]] = field(default_factory=dict)

    def add(self, why: Why, what: str, reason: str = "") -> None:
        self.found.setdefault(why, {}).setdefault(what, reason)

    def __iter__(self) -> Iterator[tuple[Why, dict[str, str]]]:
        return ((why, self.found[why]) for why in Why if self.found.get(why))

    def to_json(self) -> dict[str, list[dict[str, str]]]:
        return {why.name.lower(): [{"what": what, "why": reason} for what, reason in things.items()] for why, things in self}
