"""How the gate waits, handed in by whoever runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """`stop` raises Superseded when the run shall end; `pause` sleeps at most so many seconds and returns early when something
    rang; `say` tells people what is waited for."""

    stop: Callable[[], None] = lambda: None
    pause: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = lambda _text: None
