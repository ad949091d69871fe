"""The Compose project's containers: running, healthy by their own checks, and none that comes and goes."""

from __future__ import annotations

from collections.abc import Sequence

from gitops_agent.container.members import Member
from gitops_agent.container.project import ProjectEngine
from gitops_agent.doctor.finding import Finding, Findings

_LOOP = 3
"""Restarts after which a container that is young again is called a loop."""


def look(engine: ProjectEngine, system: str) -> Findings:
    members = sorted(engine.members(), key=lambda member: member.name)
    if not members:
        yield Finding(system, "containers", False, "the project has none", "gitops-agent sync")
        return
    wrong = 0
    for member in members:
        said, remedy = _ailment(engine, member)
        if said:
            wrong += 1
            yield Finding(system, member.name, False, said, remedy)
    if not wrong:
        yield Finding(system, "containers", True, _summary(members))


def _ailment(engine: ProjectEngine, member: Member) -> tuple[str, str]:
    """What is wrong with it and what to do; empty for one that is well. One that ended with 0 did what it was for."""
    logs = f"docker logs --tail 50 {member.name}"
    if member.state == "exited":
        return (f"has exited with {member.code}", f"{logs}; docker start {member.name}") if member.code else ("", "")
    if member.state == "paused":
        return "is paused", f"docker unpause {member.name}"
    if member.state == "restarting" or (member.young and (restarts := engine.life(member.id).restarts) >= _LOOP):
        restarts = engine.life(member.id).restarts
        return f"comes and goes: {restarts} restarts, the last exit was {member.code}", logs
    if member.state != "running":
        return f"is {member.state}", f"docker start {member.name}"
    if member.health == "unhealthy":
        check = "{{json .State.Health}}"
        return "is unhealthy", f"docker inspect --format '{check}' {member.name}; {logs}"
    return "", ""


def _summary(members: Sequence[Member]) -> str:
    states = [("starting" if member.health == "starting" else member.state) for member in members]
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
