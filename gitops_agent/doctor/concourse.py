"""Concourse: a worker is registered, and none is stalled."""

from __future__ import annotations

from contextlib import closing

from gitops_agent.concourse.session import Session, User
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.targets.concourse.settings import ConcourseSettings


def look(settings: ConcourseSettings) -> Findings:
    user = User(settings.username, settings.password_file)
    with closing(Session(settings.address, user, ca_file=settings.ca_file, timeout=5)) as session:
        workers = session.call("GET", "/workers", needs="any role in a team").data
    if not workers:
        remedy = "docker restart of concourse-worker; its log says what the TSA refuses"
        yield Finding(settings.name, "workers", False, "no worker is registered: no build runs", remedy)
    for worker in workers:
        running = worker["state"] == "running"
        remedy = f"docker restart of concourse-worker; then fly prune-worker --worker {worker['name']}"
        yield Finding(settings.name, f"worker {worker['name']}", running, f"is {worker['state']}", "" if running else remedy)
