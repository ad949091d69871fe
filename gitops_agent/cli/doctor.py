"""`doctor`: tries what agent.toml says, and touches nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from gitops_agent.cli import options
from gitops_agent.cli.console import Console
from gitops_agent.errors import AgentError, Unavailable
from gitops_agent.model import HealthStatus, Revision, Run, Value

if TYPE_CHECKING:
    from gitops_agent.doctor import Repair
    from gitops_agent.reconcile.planning import TargetPlan
    from gitops_agent.settings import AgentSettings
    from gitops_agent.target import Target

Look: TypeAlias = tuple[str, Callable[[], str]]
"""What is looked at, and how: gives what there is to say of it, or raises AgentError."""
_OTHERS, _EVERYBODY = 0o077, 0o007
_LITTLE = 100 << 20


Fix: TypeAlias = Annotated[bool, typer.Option("--fix", help="Offer the repairs that lose nothing, one by one.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="With --fix: make them without asking.")]


def doctor(config: options.ConfigFile = None, as_json: options.AsJson = False, fix: Fix = False, yes: Yes = False) -> int:
    """Try everything that agent.toml names, and look into every system.

    Leaders, tokens, workers, scrapes, hostnames, the webhook, logs, disks: what is wrong, what mends it. Gitea may be asked for a
    test delivery. Nothing else changes without --fix, which deregisters from Consul what was on nodes that are gone, and renews
    tokens of Vault.

    Exits with 1 when something is not as it should be.
    """
    from gitops_agent.doctor import examine

    settings = options.settings(config)
    console = Console()
    findings = []
    values: dict[str, dict[str, Value]] = {}
    for what, look in _looks(settings, values):
        error = ""
        try:
            said = look()
        except AgentError as raised:
            said, error = "", str(raised)
        findings.append({"what": what, "ok": not error, "said": error or said})
        if not as_json:
            console.line(error or said, mark=not error, head=f"{what:<28}")
    examined = [(name, finding) for name in settings.environments for finding in examine(settings, name, values.get(name, {}))]
    for name, found in examined:
        what = f"{name}: {found.system}: {found.what}"
        fixed = bool(fix and found.repair and _repaired(found.repair, console, yes=yes))
        findings.append({"what": what, "ok": found.ok or fixed, "said": found.said, "remedy": found.remedy})
        if not as_json:
            console.line(found.said, mark=found.ok or fixed, head=f"{what:<28}")
            if found.remedy and not fixed:
                console.text(f"    {found.remedy}")
    if as_json:
        console.json(findings)
    return int(not all(finding["ok"] for finding in findings))


def _repaired(repair: Repair, console: Console, *, yes: bool) -> bool:
    if not yes and not typer.confirm(f"{repair.does}?", err=True):
        return False
    try:
        repair.make()
    except AgentError as error:
        console.line(str(error), mark=False, head=repair.does)
        return False
    return True


def _looks(settings: AgentSettings, values: dict[str, dict[str, Value]]) -> Iterator[Look]:
    """`values` gets those of each environment whose newest commit could be read."""
    yield "git", _git
    yield "state", partial(_state, settings.state)
    yield "agent", partial(_agent, settings)
    for name, environment in settings.environments.items():
        for setting in ("token_file", "ssh_key_file", "webhook_secret_file", "notify_file"):
            if (file := getattr(environment, setting)) is not None:
                yield f"{name}: {setting}", partial(_private, file)
        if environment.refs is not None:
            yield f"{name}: refs", partial(_refs, environment.refs)
        with TemporaryDirectory(prefix="gitops-agent-") as elsewhere:
            yield from _environment(settings, name, Path(elsewhere), values)


def _environment(settings: AgentSettings, name: str, elsewhere: Path, values: dict[str, dict[str, Value]]) -> Iterator[Look]:
    """Plans a whole run, with a state directory of its own: root may look without leaving its files in the agent's."""
    from gitops_agent import app
    from gitops_agent.reconcile import Progress
    from gitops_agent.render.values import overlay

    secrets = settings.secrets.model_copy(update={"directory": settings.secrets.directory or settings.state / "secrets"})
    if (key := settings.state / "key").exists():  # with another, every secret that was ever written would look changed
        shutil.copy(key, elsewhere)
    reconciler = app.reconciler(settings.model_copy(update={"state": elsewhere, "secrets": secrets}), name)
    planned: dict[str, TargetPlan] = {}
    head: list[Revision] = []

    def source() -> str:
        head.append(reconciler.source.fetch())
        return f"{head[0].short} {head[0].subject}"

    def content() -> str:
        files = reconciler.source.read(head[0])
        layers = (f"values/{layer}.yaml" for layer in ("common", name))
        values[name] = overlay({path: files[path].decode() for path in layers if path in files}, ())
        progress = Progress(Run("", name, "doctor", head[0], time.time()))
        planned.update({plan.target.name: plan for plan in reconciler.prepare(head[0], progress).plans})
        return "every file is understood"

    try:
        yield f"{name}: source", source
        if head:
            yield f"{name}: newest commit", content
        for target in reconciler.targets:
            yield f"{name}: {target.name}", partial(_target, target, planned.get(target.name))
    finally:
        reconciler.close()


def _target(target: Target, planned: TargetPlan | None) -> str:
    """Could it be read, with all its secrets, and is it well? Without a plan only the latter is known."""
    if planned is not None and planned.error is not None:
        raise planned.error
    health = target.health()
    if health.status is not HealthStatus.HEALTHY:
        raise Unavailable(f"{health.status}: {health.reason}")
    return "healthy"


def _git() -> str:
    from gitops_agent import process

    return process.run(["git", "--version"], timeout=10).text.strip()


def _state(directory: Path) -> str:
    if not directory.exists():
        return f"{directory} will be made at the first start"
    if directory.stat().st_mode & _OTHERS:
        raise Unavailable(f"{directory} can be read by others: chmod 700 {directory}")
    if not os.access(directory, os.W_OK):
        raise Unavailable(f"{directory} cannot be written")
    free = shutil.disk_usage(directory).free
    if free < _LITTLE:
        raise Unavailable(f"{directory}: only {free >> 20} MiB are free")
    return f"{directory}, {free >> 30} GiB free"


def _agent(settings: AgentSettings) -> str:
    from gitops_agent.api import Api
    from gitops_agent.cli.agent import reachable

    api = Api("gitops-agent", reachable(settings.serve.listen), timeout=5)
    try:
        answer = api.call("GET", "/readyz", accept=(503,))
    except Unavailable:
        return "is not running"
    finally:
        api.close()
    reasons = answer.data.get("reasons", {}) if isinstance(answer.data, dict) else {"": "another program answers there"}
    if reasons:
        raise Unavailable("; ".join(f"{name}: {why}" for name, why in reasons.items()))
    return f"is running and ready at {settings.serve.listen}"


def _private(file: Path) -> str:
    try:
        if not file.read_text().strip():
            raise Unavailable(f"{file} is empty")
        if file.stat().st_mode & _EVERYBODY:
            raise Unavailable(f"{file} can be read by everybody: chmod 600 {file}")
    except OSError as error:
        raise Unavailable(f"{file}: {error.strerror}") from None
    return str(file)


def _refs(repository: Path) -> str:
    if not (repository / "refs").is_dir():
        raise Unavailable(f"{repository} is no bare repository")
    return str(repository)
