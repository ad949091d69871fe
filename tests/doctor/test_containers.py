"""Containers of a project on the real engine: one that is well, one that ended badly, one that comes and goes."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from gitops_agent.container.project import ProjectEngine
from gitops_agent.doctor import containers
from tests.doctor.conftest import bad
from tests.targets.compose.engine import IMAGE, clear, make_images

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def project() -> Iterator[str]:
    make_images()
    name = f"gitops-agent-test-{uuid.uuid4().hex[:8]}"
    yield name
    clear(name)


def _start(project: str, service: str, command: str, *options: str) -> str:
    labels = {"project": project, "service": service, "oneoff": "False"}
    named = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
    name = f"{project}-{service}-1"
    command_line = [
        "docker",
        "run",
        "--detach",
        f"--name={name}",
        "--network=none",
        *named,
        *options,
        f"{IMAGE}:1",
        "sh",
        "-c",
        command,
    ]
    subprocess.run(command_line, check=True, capture_output=True)
    return name


def _until(wanted: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not wanted():
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_containers_and_what_is_wrong_with_them(project: str) -> None:
    engine = ProjectEngine("", project, 30)

    def wrong() -> dict[str, str]:
        return bad(containers.look(engine, "compose"))

    def remedies(**said: str) -> dict[str, str]:
        """Of the services of which that is said."""
        found = [finding for finding in containers.look(engine, "compose") if not finding.ok]
        return {one.what: one.remedy for one in found if one.said.startswith(said[one.what.split("-")[-2]])}

    try:
        assert wrong() == {"containers": "the project has none"}
        _start(project, "well", "sleep 600")
        _start(project, "once", "true")
        _until(lambda: wrong() == {})
        failed = _start(project, "failed", "exit 7")
        looping = _start(project, "looping", "exit 3", "--restart=always")
        logs = "docker logs --tail 50"
        _until(
            lambda: (
                remedies(failed="has exited with 7", looping="comes and goes")
                == {failed: f"{logs} {failed}; docker start {failed}", looping: f"{logs} {looping}"}
            )
        )
    finally:
        engine.close()
