"""A small world to serve: environments that live in memory, with the worker's own status, and runs as they really look."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from gitops_agent.errors import Refused
from gitops_agent.model import Outcome, Revision, Run, Step
from gitops_agent.settings import EnvironmentSettings
from gitops_agent.worker import EnvironmentStatus, TargetStatus

TOKEN = "a-token-that-nobody-guesses-42"
WEBHOOK_SECRET = "what-gitea-signs-with"


@dataclass
class MemoryEnvironment:
    """The state of an environment without a thread behind it: what it was asked for is kept in lists."""

    settings: EnvironmentSettings
    state: EnvironmentStatus
    wakes: list[str] = field(default_factory=list)
    syncs: list[tuple[str, ...]] = field(default_factory=list)
    skips: list[bool] = field(default_factory=list)
    approved: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.state.name

    def wake(self, reason: str) -> None:
        self.wakes.append(reason)

    def sync(self, allow_deletes: Collection[str] = (), *, skip_gate: bool = False) -> None:
        if self.state.suspended:
            raise Refused(f"{self.name} is {self.state.waiting}; resume it first")
        self.syncs.append(tuple(allow_deletes))
        self.skips.append(skip_gate)

    def approve(self, digest: str) -> None:
        if self.state.awaiting is None or self.state.awaiting.digest != digest:
            raise Refused(f"{digest} is not the plan that awaits approval in {self.name}")
        self.approved.append(digest)

    def suspend(self, why: str = "") -> None:
        self.state = replace(self.state, suspended=True, waiting=f"suspended {why or 'by the operator'}")

    def resume(self) -> None:
        self.state = replace(self.state, suspended=False, waiting="")

    def status(self) -> EnvironmentStatus:
        return self.state


def environment(
    name: str,
    directory: Path,
    *,
    source: str = "https://git.example.org/ops/config.git",
    branch: str = "main",
    secret: str = WEBHOOK_SECRET,
) -> MemoryEnvironment:
    """An environment that was applied once, with its webhook secret in a file; no file for an empty secret."""
    file = directory / f"{name}-webhook-secret"
    if secret:
        file.write_text(f"{secret}\n")
    settings = EnvironmentSettings(source=source, branch=branch, webhook_secret_file=file if secret else None)
    head = revision("Serve the new front page")
    state = EnvironmentStatus(
        name=name,
        source=source,
        branch=branch,
        ready=True,
        head=head,
        attempted=head,
        applied=head,
        outcome=Outcome.SUCCESS,
        message="applied; nginx: 1 updated",
        targets=(TargetStatus("nginx", "nginx", "success", "1 updated"), TargetStatus("consul", "consul", "success", "no changes")),
    )
    return MemoryEnvironment(settings, state)


def revision(subject: str, number: int = 1, author: str = "Ada") -> Revision:
    return Revision("main", f"{number:x}b54c1d0f3".ljust(40, "7"), subject, author)


def run(id: str = "20261123-205300-0a1b2c", environment: str = "mini-cloud", **changed: object) -> Run:  # noqa: A002
    """A finished run with a timeline and a plan; `changed` replaces fields."""
    started = time.time() - 60
    steps = (
        Step("read", started + 0.002, started + 0.011),
        Step("render", started + 0.011, started + 0.030),
        Step("plan nginx", started + 0.030, started + 0.044),
        Step("apply nginx", started + 0.045, started + 0.150),
        Step("health nginx", started + 0.150, started + 0.161),
    )
    diff = "content:\n@@ -1,3 +1,3 @@\n server {\n-  listen 80;\n+  listen 8080;\n }\nmode: 420 → 384"
    change = {
        "action": "update",
        "name": "conf.d/site.conf",
        "reason": "differs in content, mode",
        "diff": diff,
        "destructive": "",
        "held": "",
    }
    plan = {"target": "nginx", "digest": "3f9c02ab17de", "summary": "1 updated", "changes": [change]}
    made = Run(
        id,
        environment,
        "webhook",
        revision("Serve the new front page"),
        started,
        ended=started + 0.162,
        outcome=Outcome.SUCCESS,
        message="applied; nginx: 1 updated",
        steps=steps,
        plans=(plan,),
    )
    return replace(made, **changed)  # type: ignore[arg-type]
