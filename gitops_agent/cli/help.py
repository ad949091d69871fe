"""How `--help` looks. Written here because typer's own way imports a Markdown parser and takes a third of a second."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_WIDEST = 100
_EXTRAS = re.compile(r"\s*\[default: [^\]]*\]|\s+(?=\[env)")
"""Defaults are said in words where they matter."""
_STATUSES = """
0  done, or nothing to do
1  failed
2  the command line or agent.toml is wrong
3  `plan`, `apply`: there is, or was, something to change
""".strip()


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """The text in colour, on a terminal whose user has nothing against it (https://no-color.org)."""
    if not (stream or sys.stdout).isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


class CommandHelp(TyperCommand):
    """One command: how it is called, what it does, its arguments and options."""

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # typer's own Context is private
        formatter.write("\n".join(_command(self, ctx)))


class GroupHelp(TyperGroup):
    """All commands, in the order and under the headings they were registered with."""

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        formatter.write("\n".join(_group(self, ctx)))


def _group(group: TyperGroup, ctx: Any) -> Iterator[str]:
    yield f"{paint('gitops-agent', 'bold')} — {group.help}"
    yield f"\n{_heading('Usage')}  gitops-agent COMMAND …"
    commands = list(group.commands.values())
    width = max(len(command.name or "") for command in commands)
    for panel, members in groupby(commands, key=lambda command: getattr(command, "rich_help_panel", "")):
        yield f"\n{_heading(panel)}"
        yield from _table(((command.name or "", command.get_short_help_str(limit=_WIDEST)) for command in members), width)
    yield f"\n{_heading('Options')}"
    yield from _table(_options(group, ctx))
    yield f"\n{_heading('Exit status')}"
    yield textwrap.indent(_STATUSES, "  ")
    yield paint("\ngitops-agent COMMAND --help says more about a command.", "dim")


def _command(command: TyperCommand, ctx: Any) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(ctx))
    yield f"{_heading('Usage')}  {ctx.command_path} {pieces}"
    for paragraph in re.split(r"\n\s*\n", textwrap.dedent(command.help or "").strip()):
        text = paragraph if paragraph.startswith("  ") else textwrap.fill(" ".join(paragraph.split()), _width())
        yield f"\n{text}"
    arguments = [
        (parameter.metavar or "", getattr(parameter, "help", "")) for parameter in command.params if _is_argument(parameter)
    ]
    for title, rows in (("Arguments", arguments), ("Options", _options(command, ctx))):
        if rows:
            yield f"\n{_heading(title)}"
            yield from _table(rows)


def _options(command: Any, ctx: Any) -> list[tuple[str, str]]:
    shown = (
        parameter for parameter in command.get_params(ctx) if not _is_argument(parameter) and parameter.name != "show_completion"
    )
    records = (record for parameter in shown if (record := parameter.get_help_record(ctx)))
    return [(left, _EXTRAS.sub(" ", right).strip()) for left, right in records]


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _heading(text: str) -> str:
    return paint(text, "bold")


def _table(rows: Iterable[tuple[str, str]], width: int = 0) -> Iterator[str]:
    """Two columns; the second is wrapped."""
    rows = list(rows)
    width = width or max(len(left) for left, _ in rows)
    for left, right in rows:
        lines = textwrap.wrap(right, max(30, _width() - width - 4)) or [""]
        yield f"  {paint(left, 'cyan')}{' ' * (width - len(left))}  {lines[0]}".rstrip()
        yield from (" " * (width + 4) + line for line in lines[1:])


def _width() -> int:
    return min(_WIDEST, shutil.get_terminal_size().columns)
