"""The nouns as JSON: the one place that says how an environment and a run look to programs. openapi.json says the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gitops_agent.model import Revision, Run
from gitops_agent.web.agent import Environment


def environment(environment: Environment, url: str) -> dict[str, Any]:
    status = environment.status()
    return {
        "name": status.name,
        "source": status.source,
        "branch": status.branch,
        "ready": status.ready,
        "waiting": status.waiting,
        "suspended": status.suspended,
        "fetch_error": status.fetch_error,
        "outcome": status.outcome,
        "message": status.message,
        "head": revision(status.head),
        "last_attempted_revision": revision(status.attempted),
        "last_applied_revision": revision(status.applied),
        "current": None if status.current is None else summary(status.current, url),
        "awaiting": None if status.awaiting is None else {"digest": status.awaiting.digest, **summary(status.awaiting.run, url)},
        "next_attempt": moment(status.next_attempt),
        "drift": list(status.drift),
        "targets": [
            {"name": target.name, "kind": target.kind, "outcome": target.outcome, "message": target.message, "drift": target.drift}
            for target in status.targets
        ],
        "url": f"{url}/environments/{status.name}",
    }


def summary(run: Run, url: str) -> dict[str, Any]:
    """A run as a line of a list."""
    return {
        "id": run.id,
        "environment": run.environment,
        "trigger": run.trigger,
        "revision": revision(run.revision),
        "started": moment(run.started),
        "ended": moment(run.ended),
        "outcome": run.outcome,
        "message": run.message,
        "drift": run.drift,
        "url": f"{url}/runs/{run.id}",
    }


def whole(run: Run, url: str) -> dict[str, Any]:
    """A run with everything that is known of it."""
    steps = [
        {
            "name": step.name,
            "started": moment(step.started),
            "ended": moment(step.ended),
            "outcome": step.outcome,
            "detail": step.detail,
        }
        for step in run.steps
    ]
    return {**summary(run, url), "steps": steps, "plans": [dict(plan) for plan in run.plans]}


def revision(revision: Revision | None) -> dict[str, str] | None:
    if revision is None:
        return None
    return {"branch": revision.branch, "sha": revision.sha, "subject": revision.subject, "author": revision.author}


def moment(seconds: float | None) -> str | None:
    """RFC 3339 in UTC with milliseconds; None for what has not happened (0, as the model writes it)."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
