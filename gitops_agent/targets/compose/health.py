"""Whether the services are well: health checks, crash loops, one-shots that ended as they should."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gitops_agent.container.members import Life, Member
from gitops_agent.model import HEALTHY, Health, HealthStatus
from gitops_agent.targets.compose.facts import Facts, Service

_LOOP = 3
"""Restarts after which a container that comes and goes is called a crash loop."""


class Pulse:
    """Remembers when a container was first seen up: the engine's clock may be another one (a virtual machine after sleep)."""

    def __init__(self, life: Callable[[str], Life], settle: float) -> None:
        self._life = life
        self._settle = settle
        self._first_seen: dict[tuple[str, float], float] = {}

    def health(self, facts: Facts, members: Sequence[Member]) -> Health:
        worst = HEALTHY
        for name, service in facts.services.items():
            mine = [member for member in members if member.service == name]
            found = [self._one(service, member) for member in mine]
            if len(mine) < service.replicas:
                found.append(Health(HealthStatus.PROGRESSING, f"{name} has {len(mine)} of {service.replicas} containers"))
            for health in found:
                if health.status is HealthStatus.DEGRADED:
                    return health
                worst = health if health.status is HealthStatus.PROGRESSING else worst
        return worst

    def _one(self, service: Service, member: Member) -> Health:
        name = member.name
        if member.state == "exited":
            if service.may_end and member.code == 0:
                return HEALTHY
            return Health(HealthStatus.DEGRADED, f"{name} exited with {member.code}")
        if member.state == "restarting":
            life = self._life(member.id)
            return Health(HealthStatus.DEGRADED, f"{name} exits with {member.code} again and again ({life.restarts} restarts)")
        if member.state in ("created", "removing"):
            return Health(HealthStatus.PROGRESSING, f"{name} is {member.state}")
        if member.state != "running" or member.health == "unhealthy":
            return Health(HealthStatus.DEGRADED, f"{name} is {member.health or member.state}")
        if member.young:
            return self._young(member)
        return Health(HealthStatus.PROGRESSING, f"{name} is not healthy yet") if member.health == "starting" else HEALTHY

    def _young(self, member: Member) -> Health:
        if member.health == "healthy":
            return HEALTHY
        life = self._life(member.id)
        if life.restarts >= _LOOP:
            return Health(HealthStatus.DEGRADED, f"{member.name} was restarted {life.restarts} times")
        if member.health == "starting":
            return Health(HealthStatus.PROGRESSING, f"{member.name} is not healthy yet")
        now = time.monotonic()
        seen = self._first_seen.setdefault((member.id, life.started), now)
        up = max(time.time() - life.started, now - seen)
        # One that was restarted has to stay up for longer: it is coming and going.
        settle = self._settle * (1 + 4 * life.restarts)
        if up < settle:
            return Health(HealthStatus.PROGRESSING, f"{member.name} has been up for {up:.1f} s")
        return HEALTHY
