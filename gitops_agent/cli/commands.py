"""All commands together, as typer has them."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from gitops_agent import __version__
from gitops_agent.cli.help import CommandHelp, GroupHelp

_COMMANDS = {
    "Begin": {"demo": "demo", "init": "begin", "bootstrap": "bootstrap", "adopt": "adopt", "serve": "serve"},
    "Before a push": {"check": "check", "render": "check", "hooks": "hooks"},
    "See": {"status": "look", "runs": "look", "show": "look", "doctor": "doctor"},
    "Do": {
        "sync": "operate",
        "approve": "operate",
        "suspend": "operate",
        "resume": "operate",
        "plan": "run",
        "apply": "run",
        "rollback": "rollback",
    },
}
"""By its heading and name, the module in which the function of the same name is."""


def program(wanted: str = "") -> typer.Typer:
    """All commands; or the one that is wanted, where there is one of that name: to import and build the others takes longer than
    many a command does."""
    app = typer.Typer(cls=GroupHelp, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)
    app.callback()(_root)
    known = {name for names in _COMMANDS.values() for name in names}
    for heading, modules in _COMMANDS.items():
        for name, module in modules.items():
            if name == wanted or wanted not in known:
                function = getattr(import_module(f"gitops_agent.cli.{module}"), name)
                app.command(name, cls=CommandHelp, rich_help_panel=heading)(function)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gitops-agent {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from. Works after a command, too.")] = False,
) -> None:
    """A push makes real systems what the commit says, and the commit says so."""
