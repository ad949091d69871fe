"""`grafana` with a Grafana that only provisions; tests/live has the real one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.errors import ApplyFailed
from gitops_agent.model import Files, HealthStatus
from gitops_agent.target import Site
from tests.conformance.converge import converge
from tests.conformance.events import Events, Sickness
from tests.conformance.holding import assert_becomes_healthy, assert_holds
from tests.conformance.subject import KEY, AilingSubject, Seen, build
from tests.conformance.suite import Convergence
from tests.fakes.grafana import Grafana


def dashboard(uid: str, title: str, **more: object) -> bytes:
    return json.dumps({"uid": uid, "title": title, **more}).encode()


class GrafanaSubject(AilingSubject):
    kind = "grafana"
    first: ClassVar[Files] = {
        "datasources/a.yaml": b"datasources:\n- {name: Prometheus, type: prometheus, uid: prom}\n",
        "dashboards/a.json": dashboard("a", "A", tags=["x"]),
        "dashboards/b.json": dashboard("b", "B"),
    }
    second: ClassVar[Files] = {
        "datasources/a.yaml": first["datasources/a.yaml"],
        "dashboards/a.json": dashboard("a", "A2", tags=["x"]),
        "dashboards/c.json": dashboard("c", "C"),
    }
    without: ClassVar[Files] = {**first, "dashboards/a.json": dashboard("a", "A")}
    garbage: ClassVar[Mapping[str, Files]] = {"no title": {**first, "dashboards/b.json": b'{"uid": "b"}'}}

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory)
        self.live = directory / "published/current"
        self.grafana = Grafana(port, self.live)
        self.password = directory / "password"
        self.password.write_text("right\n")

    def settings(self) -> dict[str, Any]:
        published = str(self.directory / "published")
        return {"directory": published, "address": self.grafana.url, "password_file": str(self.password), "secrets": ["file:*"]}

    def look(self) -> Mapping[str, Seen]:
        paths = [path for path in sorted(self.live.rglob("*")) if path.is_file() and ".gitops-agent" not in path.parts]
        disk = {
            f"disk:{path.relative_to(self.live)}": Seen(path.read_bytes(), (path.stat().st_ino, path.stat().st_mtime_ns))
            for path in paths
        }
        used = {f"used:{uid}": Seen(json.dumps(found).encode(), self.writes()) for uid, found in self.grafana.dashboards.items()}
        return disk | used

    def writes(self) -> int:
        return self.grafana.reloads

    def expected(self, files: Files) -> Mapping[str, Any]:
        used = {f"used:{json.loads(content)['uid']}": content for path, content in files.items() if path.endswith("json")}
        return {f"disk:{path}": content for path, content in files.items()} | used

    def tamper(self) -> None:
        (self.live / "dashboards/a.json").write_bytes(dashboard("a", "by hand"))

    def vandalise(self) -> None:
        (self.live / "dashboards/b.json").unlink()

    def with_secret(self, placeholder: str) -> Files:
        source = f"datasources:\n- {{name: P, type: prometheus, uid: prom, secureJsonData: {{token: {placeholder}}}}}\n"
        return {**self.first, "datasources/a.yaml": source.encode()}

    @contextmanager
    def ailing(self) -> Iterator[None]:
        self.grafana.stop()
        yield
        self.grafana.start()


class TestGrafana(Convergence, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[GrafanaSubject]:
        subject = GrafanaSubject(tmp_path, free_port())
        yield subject
        subject.grafana.stop()

    def test_what_grafana_leaves_out_is_found_out(self, subject: GrafanaSubject) -> None:
        target = subject.target()
        converge(target, subject.first)
        unusable = dashboard("c and blanks", "C")
        with pytest.raises(ApplyFailed, match=r"has not taken dashboard 'C': .*; the previous files are back"):
            converge(target, {**subject.first, "dashboards/c.json": unusable}, applied=subject.first)
        assert_holds(subject, subject.first)

    def test_what_is_brought_back_within_the_same_second_is_taken(self, tmp_path: Path, free_port: Callable[[], int]) -> None:
        """Rewritten in place, to Grafana 7.5 it would be the file that it knows."""
        grafana = Grafana(free_port(), tmp_path / "published")
        (tmp_path / "password").write_text("right")
        places = {"directory": f"{tmp_path}/published", "publish": "in-place", "password_file": f"{tmp_path}/password"}
        target = build("grafana", {**places, "address": grafana.url}, Site("test", tmp_path, KEY))
        converge(target, GrafanaSubject.first)
        for title in ("A2", "A3"):
            converge(target, {**GrafanaSubject.first, "dashboards/a.json": dashboard("a", title)}, applied=GrafanaSubject.first)
            assert grafana.dashboards["a"]["title"] == title
        unusable = {"dashboards/a.json": dashboard("a", "A4"), "dashboards/c.json": dashboard("c and blanks", "C")}
        with pytest.raises(ApplyFailed, match=r"has not taken dashboard 'C': .*; the previous files are back"):
            converge(target, {**GrafanaSubject.first, **unusable}, applied=GrafanaSubject.first)
        assert grafana.dashboards["a"]["title"] == "A3"
        target.close()
        grafana.stop()

    def test_a_wrong_password_is_said(self, subject: GrafanaSubject) -> None:
        subject.password.write_text("wrong")
        with pytest.raises(ApplyFailed, match="invalid username or password"):
            converge(subject.target(), subject.first)

    def test_one_that_does_not_run_reads_them_when_it_starts(self, subject: GrafanaSubject) -> None:
        subject.grafana.stop()
        target = subject.target()
        converge(target, subject.first)
        assert target.health().status is HealthStatus.PROGRESSING
        subject.grafana.start()
        assert_becomes_healthy(target, subject)
        assert_holds(subject, subject.first)
