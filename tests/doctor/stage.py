"""What each of the sixteen troubles is made with: a system that is well, a way to break it, and a way to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gitops_agent.doctor import Finding
from gitops_agent.doctor.stack import Stack

STACK = Stack("mini")
"""The project whose containers remedies name."""


@dataclass(frozen=True)
class Stage:
    """`look` is the doctor's; `wreck` breaks the system itself, `mend` is what an operator does about it."""

    look: Callable[[], Iterable[Finding]]
    wreck: Callable[[], object]
    mend: Callable[[], object]
    address: str = ""
    """Where a fake is, and what lets the doctor in: name and password, or a token."""
    secret: str = ""


@dataclass(frozen=True)
class Ground:
    """What stages are set up with."""

    path: Path
    """Private to the test."""
    public: Path
    """For what other users read, such as nginx' workers."""
    binary: Callable[[str], str]
    free_port: Callable[[], int]
