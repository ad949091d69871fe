"""What is printed: marks and colours for people on a terminal, plain text in a pipe, JSON for programs. Everything is masked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from gitops_agent.cli.help import paint

if TYPE_CHECKING:
    from rich.console import RenderableType

_PIPE = 200
"""Columns where nobody says how many there are."""


class Console:
    """Standard output; what only says that something goes on, on standard error."""

    def text(self, text: str = "") -> None:
        from gitops_agent.secret import mask

        typer.echo(mask(text))

    def json(self, value: Any) -> None:
        self.text(json.dumps(value, indent=2, ensure_ascii=False))

    def line(self, text: str, *, mark: bool, head: str = "") -> None:
        """`✓ head  text` for what is well, `✗ head  text` for what is not."""
        sign = paint("✓", "green") if mark else paint("✗", "red")
        self.text(f"{sign} {paint(head, 'bold')}  {text}" if head else f"{sign} {text}")

    def step(self, name: str, seconds: float, outcome: str, detail: str) -> None:
        """A step of a run that has just ended."""
        from gitops_agent import moments

        self.line(f"{moments.duration(seconds):>8}  {detail}".rstrip(), mark=outcome in ("ok", "skipped"), head=f"{name:<20}")

    def file(self, path: str, content: str) -> None:
        """A file below its name; as `head` does it."""
        self.text(paint(f"==> {path} <==", "bold"))
        self.text(content.rstrip("\n") + "\n")

    def rich(self, renderable: RenderableType) -> None:
        """Tables and coloured text."""
        from rich.console import Console as Rich

        rich = Rich(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else _PIPE)
        with rich.capture() as captured:
            rich.print(renderable)
        self.text("\n".join(line.rstrip() for line in captured.get().rstrip().splitlines()))

    @contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """Says on a terminal that something goes on; what is yielded changes the words."""
        from rich.console import Console as Rich

        from gitops_agent.secret import mask

        with Rich(stderr=True, highlight=False).status(text) as spinner:
            yield lambda words: spinner.update(mask(words))
