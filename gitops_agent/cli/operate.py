"""`sync`, `approve`, `suspend`, `resume`: what an operator may ask the running agent for."""

from __future__ import annotations

import time
from typing import Annotated, Any, TypeAlias

import typer

from gitops_agent.cli import options
from gitops_agent.cli.agent import Agent, TokenFile, Url
from gitops_agent.cli.console import Console
from gitops_agent.errors import Unavailable

_LOOK = 0.2

Wait: TypeAlias = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the outcome, or only ring the bell.")]
Timeout: TypeAlias = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="Seconds to wait.")]


def sync(
    environment: options.Environment = "",
    allow_deletes: Annotated[
        list[str] | None,
        typer.Option("--allow-deletes", metavar="DIGEST", help="Consent to the plan with this digest, whatever it deletes."),
    ] = None,
    skip_gate: Annotated[
        bool, typer.Option("--skip-gate", help="Nothing has to be green for this run. The commit's status says so.")
    ] = False,
    wait: Wait = True,
    timeout: Timeout = 600,
    config: options.ConfigFile = None,
    url: Url = "",
    token_file: TokenFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Do a whole run now.

    Waits neither for a push nor for the next attempt. Exits with 1 when the run did not succeed.
    """
    agent = Agent(config, url, token_file)
    asked = {"allow_deletes": allow_deletes or [], "skip_gate": skip_gate}
    return _run(agent, agent.the_one(environment), "sync", asked, timeout if wait else 0, as_json=as_json)


def approve(
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment whose plan waits.")],
    digest: Annotated[str, typer.Argument(metavar="DIGEST", help="The plan's, as `status` and the commit's status show it.")],
    wait: Wait = True,
    timeout: Timeout = 600,
    config: options.ConfigFile = None,
    url: Url = "",
    token_file: TokenFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Let the plan that awaits approval be carried out.

    Exactly that plan: `gitops-agent show` prints it. Where the systems, or the commit, are no longer what they were, the new plan
    needs its own approval. Exits with 1 when the run did not succeed.
    """
    agent = Agent(config, url, token_file)
    return _run(agent, environment, "approve", {"digest": digest}, timeout if wait else 0, as_json=as_json)


def _run(agent: Agent, name: str, action: str, asked: dict[str, Any], timeout: float, *, as_json: bool) -> int:
    """Asks for a run and shows what becomes of it, if there is time."""
    before = {run["id"] for run in agent.runs(name, 1)}
    agent.do(name, action, asked)
    console = Console()
    if not timeout:
        console.json({"queued": [name]}) if as_json else console.line("queued", mark=True, head=name)
        return 0
    run = _outcome(agent, name, before, timeout, console)
    unreached = agent.environment(name)["fetch_error"]
    if as_json:
        console.json(run)
    else:
        from gitops_agent.cli import describe

        console.rich(describe.run(run, diffs=False))
        if unreached:
            console.line(f"{unreached}; this was the newest revision known", mark=False, head="source")
    return int(run["outcome"] != "success" or bool(unreached))


def suspend(
    environment: options.Environment = "",
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Shown to whoever wonders.")] = "",
    config: options.ConfigFile = None,
    url: Url = "",
    token_file: TokenFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Stop reconciling until `resume`.

    Also over restarts of the agent. The change in hand is finished.
    """
    agent = Agent(config, url, token_file)
    _answer(agent.do(agent.the_one(environment), "suspend", {"why": why}), "suspended", as_json=as_json)


def resume(
    environment: options.Environment = "",
    config: options.ConfigFile = None,
    url: Url = "",
    token_file: TokenFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Go on after `suspend`."""
    agent = Agent(config, url, token_file)
    _answer(agent.do(agent.the_one(environment), "resume", {}), "resumed", as_json=as_json)


def _answer(status: dict[str, Any], word: str, *, as_json: bool) -> None:
    console = Console()
    console.json(status) if as_json else console.line(word, mark=True, head=status["name"])


def _outcome(agent: Agent, name: str, before: set[str], timeout: float, console: Console) -> dict[str, Any]:
    """Waits for the run that the bell began. Raises Unavailable when none ends in time, or none can begin."""
    deadline = time.monotonic() + timeout
    with console.waiting(f"{name}: waiting for the run") as say:
        while time.monotonic() < deadline:
            status = agent.environment(name)
            newest = agent.runs(name, 1)
            if newest and newest[0]["id"] not in before and newest[0]["outcome"]:
                if newest[0]["outcome"] != "superseded":
                    return agent.run(newest[0]["id"])
                before.add(newest[0]["id"])  # a newer revision took over: its outcome is the answer
            if status["fetch_error"] and not status["head"]:
                raise Unavailable(f"{name}: {status['fetch_error']}")
            if status["current"]:
                steps = agent.run(status["current"]["id"])["steps"]
                say(f"{name}: {steps[-1]['name']} is done" if steps else f"{name}: just begun")
            time.sleep(_LOOK)
    raise Unavailable(f"{name}: no outcome within {timeout:g} s; `gitops-agent status` says how it goes on")
