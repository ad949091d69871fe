"""`doctor`: tries what agent.toml says, and touches nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

from gitops_agent.cli import options
from gitops_agent.cli.console import Console
from gitops_agent.errors import AgentError, Unavailable
from gitops_agent.model import HealthStatus, Revision, Run

if TYPE_CHECKING:
    from gitops_agent.reconcile.planning import TargetPlan
    from gitops_agent.settings import AgentSettings
    from gitops_agent.target import Target

Look: TypeAlias = tuple[str, Callable[[], str]]
"""What is looked at, and how: gives what there is to say of it, or raises AgentError."""
_OTHERS, _EVERYBODY = 0o077, 0o007
_LITTLE = 100 << 20


def doctor(config: options.ConfigFile = None, as_json: options.AsJson = False) -> int:
    """Try everything that agent.toml names. Changes nothing.

    Files and their modes, the source, what its newest commit says, every target with its secrets, the agent itself.

    Exits with 1 when something is not as it should be.
    """
    settings = options.settings(config)
    console = Console()
    findings = []
    for what, look in _looks(settings):
        error = ""
        try:
            said = look()
        except AgentError as raised:
            said, error = "", str(raised)
        findings.append({"what": what, "ok": not error, "said": error or said})
        if not as_json:
            console.line(error or said, mark=not error, head=f"{what:<28}")
    if as_json:
        console.json(findings)
    return int(not all(finding["ok"] for finding in findings))


def _looks(settings: AgentSettings) -> Iterator[Look]:
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
            yield from _environment(settings, name, Path(elsewhere))


def _environment(settings: AgentSettings, name: str, elsewhere: Path) -> Iterator[Look]:
    """Plans a whole run, with a state directory of its own: root may look without leaving its files in the agent's."""
    from gitops_agent import app
    from gitops_agent.reconcile import Progress

    secrets = settings.secrets.model_copy(update={"directory": settings.secrets.directory or settings.state / "secrets"})
    reconciler = app.reconciler(settings.model_copy(update={"state": elsewhere, "secrets": secrets}), name)
    planned: dict[str, TargetPlan] = {}
    head: list[Revision] = []

    def source() -> str:
        head.append(reconciler.source.fetch())
        return f"{head[0].short} {head[0].subject}"

    def content() -> str:
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
