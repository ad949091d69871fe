"""`rollback`: back to an earlier commit, by commits that revert what came since. The agent does the rest, as after any push."""

from __future__ import annotations

import getpass
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gitops_agent.cli import options
from gitops_agent.cli.agent import Agent, TokenFile, Url
from gitops_agent.cli.console import Console
from gitops_agent.errors import CommandFailed, Refused, Unavailable

if TYPE_CHECKING:
    from gitops_agent.cli.once import Once
    from gitops_agent.gitea.pulls import Pulls
    from gitops_agent.settings import EnvironmentSettings
    from gitops_agent.source.reverts import Commit, Person, Reverts

_LOOK = 0.3


def rollback(
    revision: Annotated[
        str, typer.Argument(metavar="REVISION", help="The commit to go back to; the last that works, or worked, unless given.")
    ] = "",
    environment: Annotated[
        str, typer.Option("--environment", "-e", metavar="NAME", help="Not needed where there is only one.")
    ] = "",
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Goes into the commits.")] = "",
    author: Annotated[
        str, typer.Option("--author", metavar="PERSON", help="Who wants it, name and mail as git writes them; you unless given.")
    ] = "",
    signing_key: Annotated[
        Path | None, typer.Option("--signing-key", metavar="FILE", help="SSH key that signs the commits.")
    ] = None,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="Open a pull request, also where the branch takes a push.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the outcome.")] = True,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="Seconds to wait.")] = 600,
    config: options.ConfigFile = None,
    url: Url = "",
    token_file: TokenFile = None,
) -> int:
    """Go back to an earlier commit.

    Shows what would change and asks. Then reverts what came since, the newest first, and pushes, or opens a pull request in Gitea
    where the branch is protected; and waits until the agent says what came of it. Without REVISION it goes back to the last
    applied commit, or to the one before where the newest is applied. Exits with 1 when that did not succeed.
    """
    from gitops_agent import app
    from gitops_agent.cli.once import Once
    from gitops_agent.source.reverts import Person, Protected, Reverts

    settings = options.settings(config)
    name = options.the_one(environment, list(settings.environments))
    followed = settings.environments[name]
    if signing_key is None and (followed.allowed_signers or followed.signer_keys):
        raise Refused(f"{name} takes signed commits only: name your key with --signing-key FILE")
    person = Person.parse(author) if author else _whoever_asks()
    console = Console()
    with TemporaryDirectory(prefix="gitops-agent-") as temporary, Once(settings, name) as once:
        with console.waiting(f"{name}: planning"):
            reverts = Reverts(app.remote(followed), Path(temporary))
            back_to = _target(reverts, once, revision)
            commits = reverts.since(back_to)
            if not commits:
                raise Refused(f"{followed.branch} is at {back_to.sha[:10]} {back_to.subject}: there is nothing to take back")
            planned = once.plan(at=reverts.revision(back_to))
        _show(console, name, back_to, commits, planned)
        once.release()  # the agent, which may start while somebody thinks, needs it
        _ask(yes=yes)
        made = reverts.write(commits, person, why, signing_key)
        request = ""
        try:
            if pull_request:
                raise Protected("a pull request is wanted")
            reverts.push(made, followed.branch)
            console.line(f"{len(commits)} reverted, {made[:10]} pushed", mark=True, head=followed.branch)
        except Protected as error:
            pulls = _pulls(followed, error)
            request = f"rollback-{made[:10]}"
            reverts.push(made, request)
    deadline = time.monotonic() + timeout
    if request:
        title = f"Roll back to {back_to.sha[:10]} {back_to.subject}"
        pull = pulls.open(request, followed.branch, title, _body(commits, person, why))
        console.line(f"to be merged: {pull.url}", mark=True, head="pull request")
        if wait:
            with console.waiting(f"{name}: waiting until somebody merges {pull.url}"):
                made = _merged(pulls, pull.number, deadline)
    if not wait:
        return 0
    with console.waiting(f"{name}: waiting for the run"):
        run = _outcome(Agent(config, url, token_file), name, made, deadline)
    from gitops_agent.cli import describe

    console.rich(describe.run(run, diffs=False))
    return int(run["outcome"] != "success")


def _target(reverts: Reverts, once: Once, wanted: str) -> Commit:
    if wanted:
        return reverts.find(wanted)
    applied = once.applied()
    if applied is not None and applied.sha != reverts.head.sha:
        return reverts.find(applied.sha)
    if not reverts.head.parents:
        raise Refused("there is one commit only: nothing to go back to")
    return reverts.find(reverts.head.parents[0])


def _show(console: Console, name: str, back_to: Commit, commits: Sequence[Commit], planned: Any) -> None:
    from gitops_agent.cli import describe
    from gitops_agent.plan.diff import visible

    console.text(visible(f"{name} back to {back_to.sha[:10]} {back_to.subject}; to be reverted:"))
    for commit in commits:
        console.text(visible(f"  {commit.sha[:10]} {commit.subject}  ({commit.author})"))
    for each in planned.run.plans:
        console.rich(describe.plan(each, diffs=True))
    for target, error in planned.errors.items():
        console.line(error, mark=False, head=target)
    if not planned.run.plans and not planned.errors:
        console.text("nothing changes in the systems: they are as that commit says")


def _ask(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("nobody can be asked here: say --yes")
    if not typer.confirm("Write and push the reverts?"):
        raise Refused("nothing was changed")


def _whoever_asks() -> Person:
    """As git knows them, or as the host does."""
    from gitops_agent import process
    from gitops_agent.source.reverts import Person

    def known(key: str) -> str:
        try:
            return process.run(["git", "config", "--get", key], timeout=10).text.strip()
        except (CommandFailed, Unavailable):
            return ""

    user = os.environ.get("SUDO_USER") or getpass.getuser()
    return Person(known("user.name") or user, known("user.email") or f"{user}@{socket.gethostname()}")


def _pulls(followed: EnvironmentSettings, error: Exception) -> Pulls:
    """Raises Refused where there is no Gitea to open a pull request in."""
    from gitops_agent.errors import ConfigError
    from gitops_agent.gitea import Gitea, Session
    from gitops_agent.gitea.pulls import Pulls

    try:
        gitea = Gitea.of(followed.source, followed.gitea, followed.token_file, followed.ca_file)
    except ConfigError:
        raise Refused(f"{error}, and without Gitea there are no pull requests") from None
    session = Session(gitea.url, followed.token_file, followed.ca_file)
    return Pulls(session, gitea.repository, followed.gitea_pages)


def _body(commits: Sequence[Commit], person: Person, why: str) -> str:
    taken = "".join(f"- {commit.sha} {commit.subject}\n" for commit in commits)
    return f"{why}\n\n{person} takes back:\n\n{taken}".lstrip()


def _merged(pulls: Pulls, number: int, deadline: float) -> str:
    """The commit that the branch gets. Raises Refused when the request is closed instead."""
    while time.monotonic() < deadline:
        pull = pulls.get(number)
        if pull.merged:
            return pull.merged
        if not pull.open:
            raise Refused(f"{pull.url} was closed without being merged")
        time.sleep(_LOOK)
    raise Unavailable(f"pull request {number} is not merged yet; the agent goes on when it is")


def _outcome(agent: Agent, name: str, sha: str, deadline: float) -> dict[str, Any]:
    """Waits for the run of that commit, or of a newer one that took over."""
    while time.monotonic() < deadline:
        for run in agent.runs(name, 20):
            if run["outcome"] == "superseded" or not run["outcome"] or run["drift"]:
                continue
            if run["revision"]["sha"] == sha:
                return agent.run(run["id"])
        time.sleep(_LOOK)
    raise Unavailable(f"{name}: no outcome of {sha[:10]} in time; `gitops-agent status` says how it goes on")
