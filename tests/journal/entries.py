"""Runs and statuses to keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitops_agent.model import CommitStatus, Outcome, Revision, Run, StatusState, Step

ENVIRONMENT = "mini-cloud"
CONTEXT = f"gitops/{ENVIRONMENT}"


def sha(number: int) -> str:
    return f"{number:040x}"


def run(number: int, environment: str = ENVIRONMENT, **changed: Any) -> Run:
    """A run that goes on; `changed` replaces fields."""
    revision = Revision("main", sha(number), f"change {number}", "Ada")
    return replace(Run(f"run-{number}", environment, "webhook", revision, 1_800_000_000.0 + number), **changed)


def finished(number: int, environment: str = ENVIRONMENT, **changed: Any) -> Run:
    steps = (Step("fetch", 1.0, 1.25), Step("apply nginx", 2.0, 2.5, "failed", "nginx -t: unknown directive"))
    change = {"action": "update", "name": "site.conf", "reason": "differs in content", "diff": "- a\n+ b", "destructive": ""}
    plan = {"target": "nginx", "digest": "3f9c02ab17de", "summary": "1 updated", "changes": [change]}
    ended = {"ended": 1_800_000_001.5, "outcome": Outcome.FAILURE, "message": "nginx: unknown directive", "drift": True}
    return run(number, environment, **{"steps": steps, "plans": (plan,), **ended, **changed})


def status(number: int, state: StatusState, description: str = "", context: str = CONTEXT) -> CommitStatus:
    return CommitStatus(sha(number), context, state, description, f"http://agent.example/runs/run-{number}")
