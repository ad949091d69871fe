"""A target with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.target import Site
from gitops_agent.targets.certificates import TARGET
from gitops_agent.targets.certificates.target import Certificates
from tests.conformance.subject import KEY


class Clock:
    """Starts about now, for openssl looks at the real one; late enough for what it makes in the test to be valid."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Callable[..., Certificates]:
    """`make(**settings)`: a target as after a start of the agent, with its authority in `tmp_path/secrets`."""

    def build(**more: Any) -> Certificates:
        files = {"authority": f"{tmp_path}/secrets/ca.pem", "authority_key": f"{tmp_path}/secrets/ca-key.pem"}
        table = {"kind": "certificates", "name": "certificates", "directory": f"{tmp_path}/published", **files, **more}
        return TARGET(TARGET.Settings.model_validate(table), Site("conformance", tmp_path / "site", KEY), clock)

    return build
