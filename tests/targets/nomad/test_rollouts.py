"""What becomes of jobs that really run: a real Nomad only (NOMAD_LIVE)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from gitops_agent.model import Action, Health, HealthStatus
from gitops_agent.target import Target
from gitops_agent.targets.nomad.target import Nomad
from tests.conformance.converge import converge, plan
from tests.targets.nomad import folder
from tests.targets.nomad.server import NomadServer

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif("NOMAD_LIVE" not in os.environ, reason="needs NOMAD_LIVE and NOMAD_TOKEN"),
]

Make = Callable[..., Nomad]
VARIABLES = {"web.vars": b'greeting = "Hello"\n'}
WEB = {**VARIABLES, "web.hcl": folder.service()}


@pytest.fixture(autouse=True)
def _real_only(request: pytest.FixtureRequest) -> None:
    if "fake" in request.node.name:
        pytest.skip("the fake runs no jobs")


def settled(target: Target, within: float = 60) -> Health:
    """Looks as a run does, until it is healthy or degraded."""
    deadline = time.monotonic() + within
    while (health := target.health()).status is HealthStatus.PROGRESSING:
        assert time.monotonic() < deadline, health.reason
        time.sleep(0.2)
    return health


ONCE = """job "once" {
  type = "batch"
  group "main" {
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }
    task "main" {
      driver = "raw_exec"
      config {
        command = "%s"
      }
    }
  }
}
"""


def batch(command: str) -> bytes:
    return (ONCE % command).encode()


def test_a_version_that_nomad_takes_back_is_not_registered_again(make: Make, nomad: NomadServer) -> None:
    text = folder.service().replace(b"update {\n", b"update {\n    auto_revert       = true\n").replace(b'"0s"', b'"1s"')
    web = {**VARIABLES, "web.hcl": text}
    target = make()
    converge(target, web)
    assert settled(target).status is HealthStatus.HEALTHY
    bad = {**web, "web.hcl": web["web.hcl"].replace(b'"/bin/sleep"', b'"/bin/false"')}
    converge(target, bad, applied=web)
    health = settled(target)
    assert health.status is HealthStatus.DEGRADED
    assert "job:web" in health.reason
    index = nomad.eventually("taken back", "job/web", lambda job: _command(job) == "/bin/sleep")["JobModifyIndex"]
    settled(target)  # as the run does once more, or the next one
    for again in (target, make()):
        assert not converge(again, bad, applied=web)
        assert settled(again).status is HealthStatus.DEGRADED
        assert "rolling back" in settled(again).reason
    assert nomad.running()["web"]["JobModifyIndex"] == index
    reverted = make()
    assert not converge(reverted, web, applied=web)
    assert settled(reverted).status is HealthStatus.HEALTHY


def test_a_failed_deployment_says_what_the_task_said(make: Make) -> None:
    target = make()
    files = {**VARIABLES, "web.hcl": folder.service().replace(b'"/bin/sleep"', b'"/no/such/program"')}
    converge(target, files)
    health = settled(target)
    assert health.status is HealthStatus.DEGRADED
    assert "/no/such/program" in health.reason
    assert not converge(make(), files, applied=files), "registered once, not in a loop"


def test_what_cannot_be_placed_is_said_in_words(make: Make) -> None:
    target = make()
    files = {**VARIABLES, "web.hcl": folder.service().replace(b"= 16\n", b"= 999999\n")}
    made = converge(target, files)
    words = "group main cannot be placed: of 1 nodes 1 too short of memory"
    assert words in next(iter(made)).reason
    deadline = time.monotonic() + 60
    while words not in target.health().reason:
        assert time.monotonic() < deadline, target.health()
        time.sleep(0.1)
    assert target.health().status is HealthStatus.PROGRESSING


def test_a_batch_job_that_ended_well_is_healthy_and_not_run_again(make: Make, nomad: NomadServer) -> None:
    """Failure mode 43: no deployment, no hang. Nomad forgets such a job after some hours."""
    files = {"once.hcl": batch("/bin/true"), "report.json": folder.in_json(folder.parameterized("report"))}
    target = make()
    converge(target, files)
    nomad.eventually("the end of the batch job", "job/once", lambda job: job["Status"] == "dead")
    assert settled(target).status is HealthStatus.HEALTHY
    assert not converge(make(), files, applied=files)
    nomad.stop("once", purge=True)
    assert not converge(make(), files, applied=files)
    changed = {**files, "once.hcl": batch("/bin/date")}
    assert [change.action for change in converge(make(), changed, applied=files)] == [Action.CREATE]


def test_a_batch_job_that_fails_is_degraded(make: Make) -> None:
    target = make()
    converge(target, {"once.hcl": batch("/bin/false")})
    health = settled(target)
    assert health.status is HealthStatus.DEGRADED
    assert "Exit Code: 1" in health.reason


def test_dispatched_children_are_nobodys_business(make: Make, nomad: NomadServer) -> None:
    """Failure mode 32."""
    files = {"report.json": folder.in_json(folder.parameterized("report")), "nightly.hcl": folder.PERIODIC.encode()}
    target = make()
    converge(target, files)
    child = nomad.call("POST", "job/report/dispatch", {})["DispatchedJobID"]
    nomad.call("POST", "job/nightly/periodic/force")
    assert not plan(make(), files, applied=files)
    assert settled(target).status is HealthStatus.HEALTHY
    assert nomad.call("GET", f"job/{child}")["Stop"] is False


def test_a_system_job_becomes_healthy(make: Make) -> None:
    files = {**VARIABLES, "web.hcl": folder.service().replace(b'job "web" {\n', b'job "web" {\n  type = "system"\n')}
    target = make()
    converge(target, files)
    assert settled(target).status is HealthStatus.HEALTHY
    assert not converge(make(), files, applied=files)


def test_a_service_of_count_zero_is_healthy(make: Make) -> None:
    """Failure mode 43."""
    target = make()
    converge(target, {**VARIABLES, "web.hcl": folder.service().replace(b"count = 1", b"count = 0")})
    assert settled(target).status is HealthStatus.HEALTHY


def _command(job: dict[str, object]) -> object:
    return job["TaskGroups"][0]["Tasks"][0]["Config"]["command"]  # type: ignore[index]
