"""`hooks`: what git asks before a commit and a push of a config repo leaves the author's machine, and how that gets there."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gitops_agent.cli.console import Console


class Action(StrEnum):
    INSTALL = "install"
    REMOVE = "remove"
    PRE_COMMIT = "pre-commit"
    PRE_PUSH = "pre-push"


def hooks(
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="install or remove; git asks pre-commit and pre-push.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The repository; this directory unless given.")] = Path(),
    remote: Annotated[
        str, typer.Option("--remote", metavar="NAME", help="For pre-push: what is known to be there is not looked at again.")
    ] = "",
) -> int:
    """Let git refuse commits and pushes that hold a secret or do not pass `check`.

    A config repo gets pre-commit and pre-push, a bare repository post-receive. A hook that is there is kept and asked first.
    """
    from gitops_agent.cli.hooks import installing, judging

    if action in {Action.INSTALL, Action.REMOVE}:
        done = installing.install(path) if action is Action.INSTALL else installing.remove(path)
        for line in done:
            Console().line(line, mark=True)
        return 0
    said = judging.commit(path) if action is Action.PRE_COMMIT else judging.push(path, remote, sys.stdin.read())
    if said:
        typer.echo("\n".join(said), err=True)
    return int(bool(said))
