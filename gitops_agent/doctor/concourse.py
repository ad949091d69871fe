"""Concourse: its web node answers, a worker is registered, and none is stalled or of another version."""

from __future__ import annotations

from contextlib import closing

from gitops_agent.concourse.session import Client, Session, User
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.doctor.stack import Stack
from gitops_agent.targets.concourse.settings import ConcourseSettings

_WORKER = "concourse-worker"


def look(settings: ConcourseSettings, stack: Stack) -> Findings:
    user = Client(settings.client, settings.password_file) if settings.client else User(settings.username, settings.password_file)
    with closing(Session(settings.address, user, ca_file=settings.ca_file, timeout=5)) as session:
        web = session.call("GET", "/info", needs="nothing").data
        workers = session.call("GET", "/workers", needs="any role in a team").data
    yield Finding(settings.name, "web", True, f"Concourse {web['version']}")
    if not workers:
        remedy = f"{stack.restart(_WORKER)}; {stack.logs(_WORKER)} says what the TSA refuses"
        yield Finding(settings.name, "workers", False, "no worker is registered: no build runs", remedy)
    for worker in workers:
        running = worker["state"] == "running"
        remedy = f"{stack.restart(_WORKER)}; if it stays so: fly --target main prune-worker --worker {worker['name']}"
        yield Finding(settings.name, f"worker {worker['name']}", running, f"is {worker['state']}", "" if running else remedy)
        yield from _version(settings.name, worker, web.get("worker_version", ""))


def _version(system: str, worker: dict[str, str], wanted: str) -> Findings:
    """Web gives no work to a worker of another major version."""
    theirs = worker.get("version", "")
    if theirs and wanted and theirs.partition(".")[0] != wanted.partition(".")[0]:
        said = f"speaks version {theirs}, web wants {wanted}: it gets no work"
        yield Finding(
            system, f"worker {worker['name']}", False, said, "images.concourse in the values is for both; gitops-agent sync"
        )
