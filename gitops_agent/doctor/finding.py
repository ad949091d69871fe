"""What was found of one thing, and what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Repair:
    """A change that loses nothing whoever makes it: `does` says it in words, `make` does it. `make` raises AgentError."""

    does: str
    make: Callable[[], None] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Finding:
    """`what` was looked at in `system`; `said` is what there is to say of it, `remedy` a command or an action for what is wrong."""

    system: str
    what: str
    ok: bool
    said: str
    remedy: str = ""
    repair: Repair | None = None


Findings: TypeAlias = Iterator[Finding]
