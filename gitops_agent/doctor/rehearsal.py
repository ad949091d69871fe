"""A whole run up to its first write: can the newest commit be fetched, understood and planned, and are the targets well?"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.errors import AgentError, UnsafePlan
from gitops_agent.model import HealthStatus, Revision, Run, Value
from gitops_agent.reconcile import Progress, Reconciler
from gitops_agent.reconcile.planning import TargetPlan
from gitops_agent.render.values import overlay
from gitops_agent.settings import AgentSettings
from gitops_agent.settings.models import EnvironmentSettings
from gitops_agent.target import Target

Build = Callable[[AgentSettings, str], Reconciler]
"""What makes the parts of an environment's runs: app.reconciler."""


def rehearse(settings: AgentSettings, environment: str, build: Build, values: dict[str, Value]) -> Findings:
    """In a state directory of its own: root may look without leaving its files in the agent's. `values` gets those of the newest
    commit where it can be read."""
    with TemporaryDirectory(prefix="gitops-agent-") as elsewhere:
        secrets = settings.secrets.model_copy(update={"directory": settings.secrets.directory or settings.state / "secrets"})
        if (key := settings.state / "key").exists():  # with another, every secret that was ever written would look changed
            shutil.copy(key, elsewhere)
        moved = settings.model_copy(update={"state": Path(elsewhere), "secrets": secrets})
        try:
            reconciler = build(moved, environment)
        except AgentError as error:
            yield Finding("run", "targets", False, str(error), "look at the targets in agent.toml")
            return
        try:
            yield from _findings(reconciler, settings.environments[environment], environment, values)
        finally:
            reconciler.close()


def _findings(reconciler: Reconciler, followed: EnvironmentSettings, environment: str, values: dict[str, Value]) -> Findings:
    planned: dict[str, TargetPlan] = {}
    try:
        head = reconciler.source.fetch()
    except AgentError as error:
        yield Finding("run", "source", False, str(error), f"git ls-remote {followed.source} {followed.branch}")
    else:
        yield Finding("run", "source", True, f"{head.short} {head.subject}")
        try:
            planned.update(_planned(reconciler, environment, head, values))
            yield Finding("run", "newest commit", True, "every file is understood")
        except AgentError as error:
            yield Finding("run", "newest commit", False, str(error), "push a commit that mends it: gitops-agent check")
    for target in reconciler.targets:
        yield _target(target, planned.get(target.name))


def _planned(reconciler: Reconciler, environment: str, head: Revision, values: dict[str, Value]) -> dict[str, TargetPlan]:
    files = reconciler.source.read(head)
    layers = (f"values/{layer}.yaml" for layer in ("common", environment))
    values.update(overlay({path: files[path].decode() for path in layers if path in files}, ()))
    progress = Progress(Run("", environment, "doctor", head, time.time()))
    return {plan.target.name: plan for plan in reconciler.prepare(head, progress).plans}


def _target(target: Target, planned: TargetPlan | None) -> Finding:
    """Could it be read, with all its secrets, and is it well? Without a plan only the latter is known."""
    remedy = "gitops-agent plan; what is said below of the system"
    try:
        # Whether a plan is safe depends on what was applied before, which is in the agent's own state and not in the one made here.
        if planned is not None and planned.error is not None and not isinstance(planned.error, UnsafePlan):
            raise planned.error
        health = target.health()
    except AgentError as error:
        return Finding("run", target.name, False, str(error), remedy)
    well = health.status is HealthStatus.HEALTHY
    return Finding("run", target.name, well, "healthy" if well else f"{health.status}: {health.reason}", "" if well else remedy)
