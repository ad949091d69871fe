"""`promtail` and `loki` with a program that stands for both; tests/live has the real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.errors import ApplyFailed
from gitops_agent.model import Files, HealthStatus
from tests.conformance.converge import converge, plan
from tests.conformance.events import Events, Sickness
from tests.conformance.holding import assert_becomes_healthy, assert_holds
from tests.conformance.subject import AilingSubject, Seen
from tests.conformance.suite import Convergence
from tests.fakes.monitored import UNUSABLE, Monitored

CHECK = """
grep -n invalid "$1" >/dev/null || exit 0
echo "failed parsing config: $1: yaml: unmarshal errors:" >&2
echo "  line $(grep -n invalid "$1" | cut -d: -f1): field invalid not found in type config.plain" >&2
exit 1
"""


class LokiSubject(AilingSubject):
    kind = "loki"
    first: ClassVar[Files] = {"loki.yaml": b"a: 1\nb: 2\n", "rules/a.yaml": b"a", "rules/b.yaml": b"b"}
    second: ClassVar[Files] = {"loki.yaml": b"a: 1\nb: 3\n", "rules/a.yaml": b"a", "rules/c.yaml": b"c"}
    without: ClassVar[Files] = {**first, "loki.yaml": b"a: 1\n"}
    garbage: ClassVar[Mapping[str, Files]] = {"an unknown field": {**first, "loki.yaml": b"a: 1\ninvalid: 1\n"}}

    def __init__(self, directory: Path, port: int, *, reload: bool = True) -> None:
        super().__init__(directory)
        self.live = directory / "published/current"
        self.program = Monitored(port, self.live / f"{self.kind}.yaml", reload=reload)
        (directory / "check").write_text(CHECK)

    def settings(self) -> dict[str, Any]:
        return {
            "directory": str(self.directory / "published"),
            "address": self.program.url,
            "check": ["sh", str(self.directory / "check"), "{staged}/{config}"],
            "reload": ["curl", "-sf", "-X", "POST", f"{self.program.url}/restart"],
            "reload_timeout": 5,
            "secrets": ["file:*"],
        }

    def look(self) -> Mapping[str, Seen]:
        paths = [path for path in sorted(self.live.rglob("*")) if path.is_file() and ".gitops-agent" not in path.parts]
        disk = {
            f"disk:{path.relative_to(self.live)}": Seen(path.read_bytes(), (path.stat().st_ino, path.stat().st_mtime_ns))
            for path in paths
        }
        return disk | {f"used:{name}": Seen(content, self.writes()) for name, content in self.program.loaded.items()}

    def writes(self) -> int:
        return self.program.loads

    def expected(self, files: Files) -> Mapping[str, Any]:
        return {f"{where}:{path}": content for where in ("disk", "used") for path, content in files.items()}

    def tamper(self) -> None:
        (self.live / f"{self.kind}.yaml").write_bytes(b"a: by hand\n")

    def vandalise(self) -> None:
        (self.live / f"{self.kind}.yaml").unlink()

    def with_secret(self, placeholder: str) -> Files:
        return {**self.first, "password": placeholder.encode()}

    @contextmanager
    def ailing(self) -> Iterator[None]:
        self.program.stop()
        yield
        self.program.start()


class PromtailSubject(LokiSubject):
    """Only the main file: over HTTP, Promtail takes nothing else for a change."""

    kind = "promtail"
    first: ClassVar[Files] = {"promtail.yaml": b"a: 1\nb: 2\n", "x.md": b"x", "y.md": b"y"}
    second: ClassVar[Files] = {"promtail.yaml": b"a: 1\nb: 3\n", "x.md": b"x", "z.md": b"z"}
    without: ClassVar[Files] = {**first, "promtail.yaml": b"a: 1\n"}
    garbage: ClassVar[Mapping[str, Files]] = {"an unknown field": {**first, "promtail.yaml": b"a: 1\ninvalid: 1\n"}}

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "reload": []}

    def look(self) -> Mapping[str, Seen]:
        return {name: seen for name, seen in super().look().items() if not name.startswith("used:") or name.endswith(".yaml")}

    def expected(self, files: Files) -> Mapping[str, Any]:
        return {
            name: content for name, content in super().expected(files).items() if not name.startswith("used:") or "yaml" in name
        }


class TestLoki(Convergence, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[LokiSubject]:
        subject = LokiSubject(tmp_path, free_port())
        subject.program.post("/restart")
        yield subject
        subject.program.stop()

    def test_a_loki_that_does_not_come_back_gets_its_previous_files(self, subject: LokiSubject) -> None:
        target = subject.target(reload_timeout="500ms")
        converge(target, subject.first)
        with pytest.raises(ApplyFailed, match=r"did not come back within.*; the previous files are back"):
            converge(target, {**subject.first, "loki.yaml": UNUSABLE}, applied=subject.first)
        assert_holds(subject, subject.first)
        assert_becomes_healthy(target, subject)

    def test_a_command_that_restarts_nothing_is_found_out(self, subject: LokiSubject) -> None:
        target = subject.target(reload=["true"], reload_timeout="300ms")
        with pytest.raises(ApplyFailed, match="is still the process of before"):
            converge(target, subject.first)

    def test_one_that_does_not_run_is_not_restarted(self, subject: LokiSubject) -> None:
        subject.program.stop()
        target = subject.target(reload=["false"])
        converge(target, subject.first)
        assert target.health().status is HealthStatus.PROGRESSING
        assert "does not run" in target.health().reason
        subject.program.start()
        assert_becomes_healthy(target, subject)
        assert_holds(subject, subject.first)


class TestPromtail(Convergence, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[PromtailSubject]:
        subject = PromtailSubject(tmp_path, free_port())
        yield subject
        subject.program.stop()

    def test_an_unchanged_configuration_is_no_failure(self, subject: PromtailSubject) -> None:
        converge(subject.target(), subject.first)
        loads = subject.writes()
        converge(subject.target(), {**subject.first, "x.md": b"other words"}, applied=subject.first)
        assert subject.writes() == loads
        assert not plan(subject.target(), {**subject.first, "x.md": b"other words"})

    def test_after_a_refused_reload_it_is_not_taken_for_well(self, subject: PromtailSubject) -> None:
        """Promtail says that its old configuration has not changed, and reads nothing: going back needs a restart."""
        target = subject.target()
        converge(target, subject.first)
        with pytest.raises(
            ApplyFailed, match=r"Unknown stage type: foo; and the previous files could not be brought back.*restart it"
        ):
            converge(target, {**subject.first, "promtail.yaml": UNUSABLE}, applied=subject.first)
        assert target.health().status is HealthStatus.PROGRESSING
        subject.program.post("/restart")
        converge(target, subject.first, applied=subject.first)
        assert_holds(subject, subject.first)
        assert_becomes_healthy(target, subject)


def test_a_promtail_without_reload_says_what_to_do(tmp_path: Path, free_port: Callable[[], int]) -> None:
    subject = PromtailSubject(tmp_path, free_port(), reload=False)
    with pytest.raises(ApplyFailed, match="enable_runtime_reload"):
        converge(subject.target(), subject.first)
    subject.close()
    subject.program.stop()
