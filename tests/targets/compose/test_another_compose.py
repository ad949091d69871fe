"""Containers that another Compose has made, before anybody knew of the agent (failure mode 25), and images built by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from gitops_agent.errors import InvalidRevision, UnsafePlan
from gitops_agent.model import Action
from tests.targets.compose.engine import IMAGE, compose, containers
from tests.targets.compose.engine import docker as command
from tests.targets.compose.stack import Stack, folder, service

pytestmark = [pytest.mark.server, pytest.mark.slow]

_MUCH = (
    'environment: {A: "1", B: "x$$y"}, ports: ["127.0.0.1::80"], volumes: ["./conf:/conf:ro", "data:/data"], '
    "restart: unless-stopped, user: '0', working_dir: /, tty: true, cap_add: [NET_ADMIN], labels: {mine: yes it is}, "
    "stop_signal: SIGINT, mem_limit: 64m, cpus: 0.5, healthcheck: {test: [CMD, 'true'], interval: 30s, retries: 2}, "
    "dns: [127.0.0.1], hostname: web"
)
FILES = folder({"web": service(_MUCH), "plain": service()}, "volumes: {data: {}}\n", conf__a_conf=b"a")


@pytest.fixture
def stack(tmp_path: Path, project: str) -> Iterator[Stack]:
    made = Stack(tmp_path, project)
    for path, content in FILES.items():
        (made.place / path).parent.mkdir(exist_ok=True)
        (made.place / path).write_bytes(content)
    compose(project, made.place, "up", "-d")
    yield made
    made.close()


def made_by_another(project: str, service: str, **changed: Any) -> None:
    """The same container, with the labels that an older Compose would have left. `changed` are fields of its configuration."""
    api = docker.APIClient()
    try:
        (found,) = (one for name, one in containers(project).items() if name.startswith(service))
        api.remove_container(found["Id"], force=True)
        labels = {"com.docker.compose.config-hash": "0" * 64, "com.docker.compose.version": "1.29.2"}
        config = {
            **found["Config"],
            **changed,
            "Labels": {**found["Config"]["Labels"], **labels},
            "HostConfig": found["HostConfig"],
        }
        made = api.create_container_from_config(config, found["Name"].lstrip("/"))
        api.start(made["Id"])
    finally:
        api.close()


def test_what_it_made_is_adopted_and_stays(stack: Stack) -> None:
    for name in ("web", "plain"):
        made_by_another(stack.project, name)
    before = stack.ids()
    assert {change.action for change in stack.apply(FILES)} == {Action.ADOPT}
    assert not stack.plan(FILES)
    stack.restarted()
    assert not stack.plan(FILES)
    assert stack.ids() == before


def test_what_it_made_otherwise_is_refused(stack: Stack) -> None:
    made_by_another(stack.project, "web", Env=["A=2", "B=x$y", "PATH=/bin"])
    with pytest.raises(UnsafePlan, match="service:web not ours"):
        stack.apply(FILES)
    made_by_another(stack.project, "plain", User="65534")
    refused = {change.name: change.reason for change in stack.plan(FILES).only(Action.REFUSE)}
    assert refused == {
        "service:web": "exists, is not ours; another Compose made it, and it differs in environment",
        "service:plain": "exists, is not ours; another Compose made it, and it differs in user",
    }


def test_what_stays_is_not_made_anew_when_it_is_only_told(stack: Stack) -> None:
    """A reload notes what was loaded; the hash stays that of the other Compose."""
    for name in ("web", "plain"):
        made_by_another(stack.project, name)
    stack.apply(FILES)
    before = stack.ids()
    told = service(f"{_MUCH}, x-gitops: {{on_change: {{'conf/*': {{signal: SIGWINCH}}}}}}")
    more = folder({"web": told, "plain": service()}, "volumes: {data: {}}\n", conf__a_conf=b"b")
    assert stack.apply(more)
    assert not stack.plan(more)
    assert stack.ids() == before


def test_an_image_that_is_built_elsewhere(tmp_path: Path, project: str) -> None:
    files = folder({"web": "{build: ., init: true, command: [sleep, '1000']}"})
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack/compose.yaml").write_bytes(files["compose.yaml"])
    command("tag", f"{IMAGE}:1", f"{project}-web")
    compose(project, tmp_path / "stack", "up", "-d", "--no-build")
    stack = Stack(tmp_path, project)
    try:
        with pytest.raises(InvalidRevision, match="is not built here"):
            stack.plan(files)
        stack.restarted(allow_build=True)
        before = stack.ids()
        assert {change.action for change in stack.apply(files)} == {Action.ADOPT}
        assert not stack.plan(files)
        assert stack.ids() == before
    finally:
        stack.close()
        command("rmi", f"{project}-web", check=False)
