"""Compose under the suite that every kind passes."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.model import Files
from gitops_agent.target import Target
from tests.conformance.adoption import Adoption
from tests.conformance.events import Events, Sickness
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.conformance.suite import Conformance
from tests.targets.compose.engine import IMAGE, clear, compose, containers, docker

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(300)]

_BASE = f"    image: {IMAGE}:1\n    init: true\n    stop_grace_period: 0s\n    command: [sleep, '1000']\n"
_WEB = f"  web:\n{_BASE}    volumes: ['./conf:/conf:ro']\n"
_HEALTH = "    healthcheck: {test: 'test ! -e /sick', interval: 200ms, timeout: 5s, retries: 1}\n"
_CONF = {"conf/app.conf": b"color = red\n"}


def _compose(text: str) -> Files:
    return {"compose.yaml": f"services:\n{text}".encode(), **_CONF}


_FIRST = _compose(f"{_WEB}    environment: {{A: '1', B: '2'}}\n{_HEALTH}  cache:\n{_BASE}")
_WITHOUT = _compose(f"{_WEB}    environment: {{A: '1'}}\n{_HEALTH}  cache:\n{_BASE}")
_SECOND = _compose(f"{_WEB}    environment: {{A: '3', B: '2'}}\n{_HEALTH}  worker:\n{_BASE}")
_ENVIRONMENTS = {
    _FIRST["compose.yaml"]: {"web-1": ["A=1", "B=2"], "cache-1": []},
    _WITHOUT["compose.yaml"]: {"web-1": ["A=1"], "cache-1": []},
    _SECOND["compose.yaml"]: {"web-1": ["A=3", "B=2"], "worker-1": []},
}


class ComposeSubject(AdoptableSubject, AilingSubject):
    kind = "compose"
    excused = "unable to remove filesystem"  # the Engine's own race, when a container is removed
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "no YAML": {**_FIRST, "compose.yaml": b"services: [web\n"},
        "a field that Compose does not know": _compose(f"{_WEB}    imagination: 7\n"),
        "a variable without a value": _compose(f"{_WEB}    labels: {{a: '${{NOWHERE}}'}}\n"),
        "another project's name": {**_FIRST, "compose.yaml": b"name: other\n" + _FIRST["compose.yaml"]},
        "nothing to run": {"compose.yaml": b"services: {}\n"},
        "a build": _compose(f"{_WEB}    build: .\n"),
        "a behaviour that is not known": _compose(f"{_WEB}    x-gitops: {{on_change: {{'*': dance}}}}\n"),
    }

    def __init__(self, directory: Path, project: str, neighbour: str) -> None:
        super().__init__(directory)
        self.project = project
        self._neighbour = neighbour
        self._made: list[Target] = []
        self.place = directory / "stack"
        self.place.mkdir()
        (self.place / "grown-here.txt").write_text("by a program")
        docker(
            "run", "-d", "--name", neighbour, "--label", f"com.docker.compose.project={neighbour}", f"{IMAGE}:1", "sleep", "1000"
        )

    def target(self, **more: Any) -> Target:
        self._made.append(super().target(**more))
        return self._made[-1]

    def close(self) -> None:
        for target in self._made:
            target.close()

    def settings(self) -> dict[str, Any]:
        return {"directory": str(self.place), "project": self.project, "settle": 0.2, "secrets": ["file:*"]}

    def look(self) -> Mapping[str, Seen]:
        seen = {
            name: Seen(_seen(container), (container["Id"], container["State"]["StartedAt"]))
            for name, container in containers(self.project).items()
        }
        for parent, folders, names in os.walk(self.place):
            folders[:] = [folder for folder in folders if folder != ".gitops-agent"]
            for path in (Path(parent) / name for name in names):
                status = path.stat()
                seen[str(path.relative_to(self.place))] = Seen(path.read_bytes(), (status.st_ino, status.st_mtime_ns))
        started = docker("inspect", "--format", "{{.State.StartedAt}}", self._neighbour)
        return {**seen, self._neighbour: Seen("neighbour", started)}

    def expected(self, files: Files) -> Mapping[str, Any]:
        environments = _ENVIRONMENTS[files["compose.yaml"]]
        return {**files, **{name: ("running", environment) for name, environment in environments.items()}}

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"grown-here.txt", self._neighbour})

    def tamper(self) -> None:
        docker("kill", f"{self.project}-web-1")

    def vandalise(self) -> None:
        docker("rm", "-f", f"{self.project}-cache-1")

    def plant(self, files: Files) -> None:
        for path, content in files.items():
            (self.place / path).parent.mkdir(exist_ok=True)
            (self.place / path).write_bytes(content)
        compose(self.project, self.place, "up", "-d")

    @contextmanager
    def ailing(self) -> Iterator[None]:
        docker("exec", f"{self.project}-web-1", "touch", "/sick")
        yield
        docker("rm", "-f", f"{self.project}-web-1")
        compose(self.project, self.place, "up", "-d")

    def with_secret(self, placeholder: str) -> Files:
        return {**_FIRST, "conf/password": placeholder.encode()}


def _seen(container: Mapping[str, Any]) -> tuple[str, list[str]]:
    own = sorted(entry for entry in container["Config"]["Env"] or () if not entry.startswith("PATH="))
    return container["State"]["Status"], own


class TestCompose(Conformance, Adoption, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, project: str) -> Iterator[ComposeSubject]:
        neighbour = f"gitops-agent-neighbour-{uuid.uuid4().hex[:8]}"
        with closing(ComposeSubject(tmp_path, project, neighbour)) as subject:
            yield subject
        clear(neighbour)
