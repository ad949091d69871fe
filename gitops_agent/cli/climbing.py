"""How bootstrap tells where it is: a line when a step begins, one when it has ended; on a terminal also how long it has taken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitops_agent.cli.console import Console
from gitops_agent.errors import AgentError

if TYPE_CHECKING:
    from gitops_agent.bootstrap import Look

_WIDTH = 32
"""Of a step's name."""


class Climbing:
    """`steps` is how many there are. What it yields to is one step."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._steps = steps
        self._step = 0
        self._began = time.monotonic()

    def look(self, look: Look) -> None:
        said = look.missing or (f"cannot be told yet: {look.unknown}" if look.unknown else "done")
        self._line(look.name, said, mark=not look.missing and not look.unknown)

    @contextmanager
    def doing(self, name: str, missing: str) -> Iterator[Callable[[str], None]]:
        """Yields what says how it goes, in a line of its own. Raises what the step raises, after it was said whose it is."""
        from gitops_agent import moments

        if not missing:
            yield self._console.text
            self._line(name, "done", mark=True)
            return
        head = self._head(self._step + 1, name)

        def tell(said: str) -> None:
            self._console.text(f"· {head}  {said}")

        tell(missing)
        began = time.monotonic()
        try:
            with self._moving(name):
                yield tell
        except AgentError:
            self._line(name, f"after {moments.duration(time.monotonic() - began)}", mark=False)
            raise
        self._line(name, moments.duration(time.monotonic() - began), mark=True)

    @property
    def elapsed(self) -> str:
        """Since it was made, for people."""
        from gitops_agent import moments

        return moments.duration(time.monotonic() - self._began)

    def _line(self, name: str, said: str, *, mark: bool) -> None:
        self._step += 1
        self._console.line(said, mark=mark, head=self._head(self._step, name))

    def _head(self, step: int, name: str) -> str:
        of = f"{step}/{self._steps}"
        return f"{of:>5} {name:<{_WIDTH}}"

    @contextmanager
    def _moving(self, name: str) -> Iterator[None]:
        """On a terminal only, and gone when the step has ended."""
        from rich.console import Console as Rich
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), BarColumn(20), TextColumn("{task.description}"), TimeElapsedColumn())
        shown = Progress(*columns, console=Rich(stderr=True), transient=True, disable=not sys.stderr.isatty())
        with shown:
            shown.add_task(f"{self._step + 1} of {self._steps} · {name}", completed=self._step, total=self._steps)
            yield
