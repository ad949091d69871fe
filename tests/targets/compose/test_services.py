"""Services come, change, crash, end and go; what must not happen without consent does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_agent.errors import AgentError, ConfigError, UnsafePlan
from gitops_agent.model import HealthStatus
from gitops_agent.targets.compose import own
from tests.fakes.registry import Registry
from tests.targets.compose.engine import IMAGE, compose, docker, names, root
from tests.targets.compose.stack import Stack, folder, reasons, service

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def stack(tmp_path: Path, project: str) -> Iterator[Stack]:
    with closing(Stack(tmp_path, project)) as made:
        yield made


def test_only_what_changes_and_what_cannot_outlive_it_is_made_anew(stack: Stack) -> None:
    services = {"db": service(), "side": service("network_mode: 'service:db'"), "web": service("depends_on: [db]")}
    stack.apply(folder(services))
    before = stack.ids()
    plan = stack.apply(folder({**services, "db": service("labels: {a: b}")}))
    assert [*reasons(plan)] == ["service:db", "service:side"]
    after = stack.ids()
    assert after["db-1"] != before["db-1"]
    assert after["side-1"] != before["side-1"]
    assert after["web-1"] == before["web-1"]


def test_a_crash_loop_is_found_early(stack: Stack) -> None:
    """Failure mode 42."""
    stack.apply(folder({"web": service("command: ['false'], restart: always")}))
    assert "web-1" in stack.settle()


def test_a_one_shot_that_ends_well_is_healthy_and_one_that_does_not_is_not(stack: Stack) -> None:
    """Failure mode 42."""
    files = folder(
        {"setup": service("command: ['true']"), "web": service("depends_on: {setup: {condition: service_completed_successfully}}")}
    )
    stack.apply(files)
    assert stack.settle() == ""
    assert not stack.plan(files)
    stack.apply(folder({"setup": service("command: [sh, -c, 'exit 3']")}))
    assert stack.settle() == f"{stack.project}-setup-1 exited with 3"


def test_an_image_that_cannot_be_had_changes_nothing(stack: Stack) -> None:
    first = folder({"web": service(), "other": service()}, conf__app_conf=b"1")
    stack.apply(first)
    before = stack.ids()
    missing = "image: '127.0.0.1:9/nothing:1'"
    with pytest.raises(AgentError, match=r"127\.0\.0\.1:9.*connection refused"):
        stack.apply(folder({"web": service(missing), "other": service("labels: {a: b}")}, conf__app_conf=b"2"))
    assert stack.ids() == before
    assert (stack.place / "compose.yaml").read_bytes() == first["compose.yaml"]
    assert (stack.place / "conf/app.conf").read_bytes() == b"1"


@pytest.mark.parametrize("platform", ["", "platform: linux/amd64"])
def test_an_image_that_is_not_here_is_pulled_once(stack: Stack, platform: str) -> None:
    registry = Registry(root("pulled"))
    image = f"{registry.address}/{stack.project}:1"
    try:
        stack.apply(folder({"web": service(f"image: '{image}'{', ' if platform else ''}{platform}")}))
        assert stack.inside("web-1", "cat", "/version") == "pulled"
        asked = registry.asked
        assert asked
        stack.apply(folder({"web": service(f"image: '{image}', labels: {{a: b}}{', ' if platform else ''}{platform}")}))
        assert registry.asked == asked
    finally:
        registry.stop()
        docker("rm", "-f", f"{stack.project}-web-1", check=False)
        docker("rmi", "-f", image, check=False)


def test_the_running_image_counts_until_the_repository_names_another(stack: Stack) -> None:
    """`:latest` never upgrades by itself, not even when the service is made anew for another reason."""
    tag = f"{stack.project}:latest"
    docker("tag", f"{IMAGE}:1", tag)
    try:
        stack.apply(folder({"web": service(f"image: '{tag}'")}))
        docker("tag", f"{IMAGE}:2", tag)
        assert not stack.plan(folder({"web": service(f"image: '{tag}'")}))
        stack.apply(folder({"web": service(f"image: '{tag}', labels: {{a: b}}")}))
        assert stack.inside("web-1", "cat", "/version") == "1"
        stack.apply(folder({"web": service(f"image: '{IMAGE}:2'")}))
        assert stack.inside("web-1", "cat", "/version") == "2"
    finally:
        docker("rmi", "-f", tag)


def test_volumes_are_never_pruned_without_being_allowed_and_consented(stack: Stack) -> None:
    """Failure mode 36."""
    stack.apply(folder({"web": service("volumes: ['data:/data']")}, "volumes: {data: {}, unused: {}}\n"))
    stack.apply(folder({"web": service()}))
    assert names("volume", stack.project) == ["data"]
    stack.restarted(allow_destroy=True)
    with pytest.raises(UnsafePlan, match="would destroy volume:data"):
        stack.apply(folder({"web": service()}))
    stack.apply(folder({"web": service()}), consent=True)
    assert names("volume", stack.project) == []


def test_a_renamed_volume_needs_consent(stack: Stack) -> None:
    """Failure mode 36: a service is never started on an empty volume while its old one exists."""
    stack.apply(folder({"web": service("volumes: ['data:/data']")}, "volumes: {data: {}}\n"))
    docker("rm", "-f", f"{stack.project}-web-1")
    renamed = folder({"web": service("volumes: ['state:/data']")}, "volumes: {state: {}}\n")
    with pytest.raises(UnsafePlan, match="would destroy web's hold on"):
        stack.apply(renamed)
    assert names("volume", stack.project) == ["data"]
    stack.apply(renamed, consent=True)
    assert names("volume", stack.project) == ["data", "state"]


def test_a_renamed_project_needs_consent(stack: Stack) -> None:
    files = folder({"web": service()})
    stack.apply(files)
    stack.restarted(project=f"{stack.project}-new")
    with pytest.raises(UnsafePlan, match="the place of project"):
        stack.apply(files)


def test_stopping_a_held_service_needs_approval(stack: Stack) -> None:
    """What a run makes of that is in tests/worker/test_approval.py."""
    hold = "x-gitops: {hold: true}"
    stack.apply(folder({"vault": service(hold), "web": service()}))
    changed = folder({"vault": service(f"{hold}, labels: {{a: b}}"), "web": service()})
    assert stack.plan(changed).held == "stops the running vault (hold)"
    assert stack.plan(folder({"web": service()})).held == "stops the running vault (hold)"
    assert stack.plan(folder({"vault": service(hold), "web": service("labels: {a: b}")})).held == ""
    stack.apply(changed)
    docker("kill", f"{stack.project}-vault-1")
    assert stack.plan(changed).held == "", "what is down may be started"
    stack.apply(changed)
    assert stack.settle() == ""


def test_an_older_image_of_a_forward_only_service_needs_consent(stack: Stack) -> None:
    def at(version: int) -> dict[str, str]:
        return {"db": service(f"image: '{IMAGE}:{version}', x-gitops: {{forward_only: true}}")}

    stack.apply(folder(at(1)))
    stack.apply(folder(at(2)))
    with pytest.raises(UnsafePlan, match=r"db's data: 1 is older \(forward_only\)"):
        stack.apply(folder(at(1)))


def test_a_service_says_goodbye_before_it_is_stopped(stack: Stack) -> None:
    goodbye = "volumes: ['out:/out'], x-gitops: {before_stop: {exec: [sh, -c, 'test ! -e /out/busy && echo bye > /out/said']}}"
    volume = "volumes: {out: {}}\n"
    stack.apply(folder({"worker": service(goodbye), "web": service("volumes: ['out:/out']")}, volume))
    stack.inside("web-1", "touch", "/out/busy")
    before = stack.ids()
    with pytest.raises(AgentError, match=r"sh in .*worker-1 exited with 1"):
        stack.apply(folder({"worker": service(f"{goodbye}, labels: {{a: b}}"), "web": service("volumes: ['out:/out']")}, volume))
    assert stack.ids() == before, "a worker that cannot leave is left"
    stack.inside("web-1", "busybox", "rm", "/out/busy")
    stack.apply(folder({"web": service("volumes: ['out:/out']")}, volume))
    assert stack.inside("web-1", "cat", "/out/said") == "bye"
    assert [*stack.ids()] == ["web-1"]


def test_after_a_signal_the_end_is_awaited(stack: Stack) -> None:
    script = 'trap "sleep 1; echo retired > /out/said; exit 0" USR2; while true; do sleep 0.1; done'
    retire = "x-gitops: {before_stop: {signal: SIGUSR2, timeout: 20s}}"
    worker = service(f"command: [sh, -c, '{script}'], init: false, volumes: ['out:/out'], {retire}")
    services = {"worker": worker, "web": service("volumes: ['out:/out']")}
    stack.apply(folder(services, "volumes: {out: {}}\n"))
    stack.apply(folder({"web": services["web"]}, "volumes: {out: {}}\n"))
    assert stack.inside("web-1", "cat", "/out/said") == "retired"


def test_a_changed_network_takes_its_services_along(stack: Stack) -> None:
    services = {"web": service("networks: [back]"), "db": service("networks: [back]"), "alone": service()}
    stack.apply(folder(services, "networks: {back: {}}\n"))
    before = stack.ids()
    plan = stack.apply(folder(services, "networks: {back: {internal: true}}\n"))
    assert {*reasons(plan)} == {"network:back", "service:web", "service:db"}
    assert stack.ids()["alone-1"] == before["alone-1"]
    assert not stack.plan(folder(services, "networks: {back: {internal: true}}\n"))
    gone = {"web": service(), "db": service(), "alone": service()}
    stack.apply(folder(gone))
    assert names("network", stack.project) == ["default"]


def test_somebody_elses_container_in_the_project_is_left(stack: Stack, tmp_path: Path) -> None:
    """An orphan that we have not made is not ours to remove."""
    stack.apply(folder({"web": service()}))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "compose.yaml").write_bytes(folder({"stranger": service()})["compose.yaml"])
    compose(stack.project, elsewhere, "up", "-d")
    assert not stack.plan(folder({"web": service()}))
    with pytest.raises(UnsafePlan, match="not ours"):
        stack.apply(folder({"web": service(), "stranger": service("labels: {a: b}")}))


def test_the_project_that_runs_the_agent_is_refused(stack: Stack, tmp_path: Path) -> None:
    """Failure mode 62. The same path on the host and in the agent's container is checked as well."""
    agent = f"volumes: ['{stack.place}:{stack.place}']"
    stack.apply(folder({"agent": service(agent)}))
    (tmp_path / "mountinfo").write_text(docker("exec", f"{stack.project}-agent-1", "cat", "/proc/self/mountinfo"))
    stack.target._own = own.container(tmp_path / "mountinfo")
    assert stack.target._own == stack.ids()["agent-1"][0]
    assert not stack.plan(folder({"agent": service(agent)}))
    with pytest.raises(UnsafePlan, match="on the host: gitops-agent apply test"):
        stack.plan(folder({"agent": service(agent), "web": service()}))
    moved = folder({"agent": service(f"volumes: ['{stack.place.parent}:{stack.place}']")})
    stack.restarted()
    stack.apply(moved)
    stack.target._own = stack.ids()["agent-1"][0]
    with pytest.raises(ConfigError, match="both have to be the same path"):
        stack.plan(moved)


def test_a_dependency_that_fails_is_told_and_a_new_commit_mends_it(stack: Stack) -> None:
    """Failure modes 40, 41: who depends on it is not started; what has been made meanwhile is not made again."""

    def at(test: str) -> dict[str, str]:
        db = service(f"healthcheck: {{test: '{test}', interval: 100ms, retries: 1}}, volumes: ['./conf:/conf']")
        return {"db": db, "web": service("depends_on: {db: {condition: service_healthy}}")}

    with pytest.raises(AgentError, match=r"db-1 is unhealthy"):
        stack.apply(folder(at("exit 1"), conf__app_conf=b"1"))
    assert "service:db" not in reasons(stack.plan(folder(at("exit 1"), conf__app_conf=b"1")))
    assert stack.settle() == f"{stack.project}-db-1 is unhealthy"
    stack.apply(folder(at("exit 0"), conf__app_conf=b"1"))
    assert stack.settle() == ""


def test_what_was_paused_or_stopped_by_hand_goes_on(stack: Stack) -> None:
    """Failure mode 27: once, without a loop."""
    files = folder({"web": service(), "db": service()})
    stack.apply(files)
    docker("pause", f"{stack.project}-web-1")
    docker("stop", f"{stack.project}-db-1")
    plan = stack.apply(files)
    why = reasons(plan)
    assert why.pop("service:db").startswith("exited (")  # with which status depends on how busy the engine is
    assert why == {"service:web": "paused"}
    assert not stack.plan(files)


def test_a_sick_service_shows_its_health(stack: Stack) -> None:
    health = "healthcheck: {test: 'test -e /well', interval: 100ms, timeout: 5s, retries: 1000}"
    stack.apply(folder({"web": service(health)}))
    assert stack.target.health().status is HealthStatus.PROGRESSING
    stack.inside("web-1", "touch", "/well")
    assert stack.settle() == ""
