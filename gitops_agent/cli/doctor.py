"""`doctor`: prints what gitops_agent.doctor finds, and asks before it makes a repair."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gitops_agent.cli import options
from gitops_agent.cli.console import Console
from gitops_agent.cli.help import paint
from gitops_agent.errors import AgentError

if TYPE_CHECKING:
    from gitops_agent.doctor import Finding, Repair
    from gitops_agent.settings import AgentSettings

Fix: TypeAlias = Annotated[bool, typer.Option("--fix", help="Offer the repairs that lose nothing, one by one.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="With --fix: make them without asking.")]
_WIDTH = 30


def doctor(config: options.ConfigFile = None, as_json: options.AsJson = False, fix: Fix = False, yes: Yes = False) -> int:
    """Try everything that agent.toml names, and look into every system.

    Leaders, tokens, workers, scrapes, hostnames, the webhook, logs, clocks, disks: what is wrong, what mends it. Gitea may be asked
    for a test delivery. Nothing else changes without --fix, which deregisters from Consul what was on nodes that are gone, renews
    tokens of Vault, and shuts others out of the agent's files.

    Exits with 1 when something is not as it should be.
    """
    settings = options.settings(config)
    console = Console()
    told: list[dict[str, object]] = []
    heading = ""
    for environment, finding in _findings(settings):
        if not as_json:
            above = f"{environment}: {finding.system}" if environment and len(settings.environments) > 1 else finding.system
            if above != heading:
                console.text(paint(above, "bold"))
            heading = above
            _show(console, finding)
        fixed = bool(fix and finding.repair and _repaired(finding.repair, console, yes=yes))
        told.append(
            {
                "environment": environment,
                "system": finding.system,
                "what": finding.what,
                "ok": finding.ok or fixed,
                "said": finding.said,
                "remedy": finding.remedy,
            }
        )
    wrong = sum(not each["ok"] for each in told)
    if as_json:
        console.json(told)
    else:
        console.text()
        console.line(f"{len(told)} looks: {len(told) - wrong} well, {wrong} wrong", mark=not wrong)
    return int(bool(wrong))


def _findings(settings: AgentSettings) -> Iterator[tuple[str, Finding]]:
    """With the environment that each is about; empty for the agent itself."""
    from gitops_agent import app
    from gitops_agent.doctor import examine, look_at_agent, look_at_files, rehearse
    from gitops_agent.model import Value

    for finding in look_at_agent(settings):
        yield "", finding
    for name, environment in settings.environments.items():
        values: dict[str, Value] = {}
        for finding in look_at_files(environment):
            yield name, finding
        for finding in rehearse(settings, name, app.reconciler, values):
            yield name, finding
        for finding in examine(settings, name, values):
            yield name, finding


def _show(console: Console, finding: Finding) -> None:
    console.text(f"  {_mark(finding)} {finding.what:<{_WIDTH}}  {finding.said}")
    if finding.remedy:
        console.text(f"      → {finding.remedy}")


def _mark(finding: Finding) -> str:
    return paint("✓", "green") if finding.ok else paint("✗", "red")


def _repaired(repair: Repair, console: Console, *, yes: bool) -> bool:
    if not yes and not typer.confirm(f"      {repair.does}?", err=True):
        return False
    try:
        repair.make()
    except AgentError as error:
        console.line(str(error), mark=False, head=repair.does)
        return False
    console.line("done", mark=True, head=repair.does)
    return True
