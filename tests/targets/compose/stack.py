"""A target with a project of its own, and a folder to change, for tests that say one thing each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gitops_agent.model import Files, HealthStatus
from gitops_agent.plan import Plan
from gitops_agent.target import Site, Target
from gitops_agent.targets.compose import TARGET
from tests.conformance import converge as conformance
from tests.conformance.holding import eventually
from tests.conformance.subject import KEY
from tests.targets.compose.engine import IMAGE, containers, docker

_BASE = f"x-base: &base {{image: '{IMAGE}:1', init: true, stop_grace_period: 0s, command: [sleep, '1000']}}\n"


def service(more: str = "") -> str:
    """One service on one line of YAML; `more` adds to it or overrides it."""
    return f"{{<<: *base{', ' if more else ''}{more}}}"


def folder(services: dict[str, str], more: str = "", **files: bytes) -> Files:
    """`files` by path, with `__` for a slash and `_` before the ending for a dot: nothing clever is needed here."""
    text = f"{_BASE}services:\n" + "".join(f"  {name}: {text}\n" for name, text in services.items()) + more
    named = {name.replace("__", "/").replace("_conf", ".conf"): content for name, content in files.items()}
    return {"compose.yaml": text.encode(), **named}


class Stack:
    """`apply` plans and carries out as a run does, with the last applied files as history."""

    def __init__(self, directory: Path, project: str, **settings: Any) -> None:
        self.project = project
        self.place = directory / "stack"
        self.place.mkdir(exist_ok=True)
        self._site = Site("test", directory / "site", KEY)
        self._site.directory.mkdir(mode=0o700, exist_ok=True)
        self._settings = {"directory": str(self.place), "project": project, "settle": 0.3, **settings}
        self.applied: Files | None = None
        self.target = self._made()

    def restarted(self, **settings: Any) -> Target:
        """The target as after a restart of the agent."""
        self.target.close()
        self.target = self._made(**settings)
        return self.target

    def _made(self, **settings: Any) -> Target:
        values = {"kind": "compose", "name": "compose", "secrets": ["file:*"], **self._settings, **settings}
        return TARGET(TARGET.Settings.model_validate(values), self._site)

    def close(self) -> None:
        self.target.close()

    def plan(self, files: Files) -> Plan:
        return conformance.plan(self.target, files, applied=self.applied)

    def apply(self, files: Files, *, consent: bool = False) -> Plan:
        """Raises UnsafePlan where consent is needed and not given."""
        from gitops_agent.plan import Limits, guard

        plan = self.plan(files)
        guard(plan, Limits(), consented=[plan.digest] if consent else [])
        for _ in conformance.carry_out(self.target, plan):
            pass
        self.applied = files
        return plan

    def settle(self) -> str:
        """Waits until it is healthy or degraded; the reason of the latter."""
        eventually(lambda: self.target.health().status is not HealthStatus.PROGRESSING, 20, "a verdict")
        return self.target.health().reason

    def ids(self) -> dict[str, tuple[str, str]]:
        """What changes when a container is made anew, and when it is restarted."""
        return {name: (c["Id"], c["State"]["StartedAt"]) for name, c in containers(self.project).items()}

    def inside(self, name: str, *command: str) -> str:
        return docker("exec", f"{self.project}-{name}", *command)


def reasons(plan: Plan) -> dict[str, str]:
    return {change.name: change.reason for change in plan}
