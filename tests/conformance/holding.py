"""Assertions on the real system that the suite's parts share."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from gitops_agent.model import Files, HealthStatus
from gitops_agent.target import Target
from tests.conformance.subject import Seen, Subject


def eventually(condition: Callable[[], bool], within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {within:g} s"
        time.sleep(0.02)


def others(subject: Subject) -> Mapping[str, Seen]:
    return {name: seen for name, seen in subject.look().items() if name in subject.bystanders}


def assert_holds(subject: Subject, files: Files) -> None:
    seen = {name: thing.content for name, thing in subject.look().items() if name not in subject.bystanders}
    assert seen == dict(subject.expected(files))


def assert_becomes_healthy(target: Target, subject: Subject) -> None:
    deadline = time.monotonic() + subject.patience
    while (health := target.health()).status is not HealthStatus.HEALTHY:
        assert time.monotonic() < deadline, health.reason
        assert health.reason, "what is not healthy says why"
        time.sleep(0.05)
