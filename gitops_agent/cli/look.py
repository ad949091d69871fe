"""`status`, `runs`, `show`: what the running agent knows."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gitops_agent.cli import options
from gitops_agent.cli.agent import Agent, TokenFile, Url
from gitops_agent.cli.console import Console


def status(
    environment: options.Environment = "",
    config: options.ConfigFile = None,
    url: Url = "",
    token_file: TokenFile = None,
    as_json: options.AsJson = False,
) -> int:
    """How things are: what is applied, what is going on, what has drifted.

    Exits with 1 when an environment is not well.
    """
    agent = Agent(config, url, token_file)
    found = [agent.environment(environment)] if environment else agent.environments()
    console = Console()
    if as_json:
        console.json(found)
    else:
        from gitops_agent.cli import describe

        for each in found:
            console.rich(describe.environment(each))
    return int(any(each["outcome"] in ("failure", "error") or each["fetch_error"] for each in found))


def runs(
    environment: options.Environment = "",
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", min=1, max=200, help="How many.")] = 20,
    config: options.ConfigFile = None,
    url: Url = "",
    token_file: TokenFile = None,
    as_json: options.AsJson = False,
) -> None:
    """The last runs, newest first."""
    found = Agent(config, url, token_file).runs(environment, limit)
    console = Console()
    if as_json:
        console.json(found)
    elif not found:
        console.text("no runs yet")
    else:
        from gitops_agent.cli import describe

        console.rich(describe.runs(found, environments=not environment))


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, as `runs` shows it; the newest unless given.")] = "",
    diffs: Annotated[bool, typer.Option("--diffs/--no-diffs", help="With the differences, or only what changed.")] = True,
    config: options.ConfigFile = None,
    url: Url = "",
    token_file: TokenFile = None,
    as_json: options.AsJson = False,
) -> None:
    """One run: its steps with their times, its plan, its outcome."""
    agent = Agent(config, url, token_file)
    console = Console()
    if not run:
        newest = agent.runs(limit=1)
        if not newest:
            console.text("no runs yet")
            return
        run = newest[0]["id"]
    found: dict[str, Any] = agent.run(run)
    if as_json:
        console.json(found)
    else:
        from gitops_agent.cli import describe

        console.rich(describe.run(found, diffs=diffs))
