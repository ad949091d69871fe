"""Nomad gets a job to run after its deployment has failed: it tried again, or a worker was mended. The deployment stays failed."""

from __future__ import annotations

from pathlib import Path

from gitops_agent.model import HealthStatus
from gitops_agent.target import Site
from tests.conformance.converge import converge
from tests.conformance.subject import KEY, build
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.targets.nomad import folder


def test_what_runs_is_healthy_whatever_its_deployment_came_to(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(MANAGEMENT)
    with FakeNomad() as nomad:
        nomad.state.sick["web"] = "no such image"
        settings = {"address": nomad.url, "token_file": str(tmp_path / "token")}
        target = build("nomad", settings, Site("test", tmp_path, KEY))
        converge(target, {"web.vars": b'greeting = "Hello"\n', "web.hcl": folder.service()})
        health = target.health()
        assert health.status is HealthStatus.DEGRADED
        assert health.reason == "job:web: Failed due to unhealthy allocations; task main: no such image"
        del nomad.state.sick["web"]
        assert target.health().status is HealthStatus.HEALTHY
        target.close()
