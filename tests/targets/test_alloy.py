"""`alloy` with programs that stand for it and for `alloy validate`: written from Alloy's source, not held against a real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.errors import ApplyFailed, InvalidRevision
from gitops_agent.model import Files, HealthStatus
from tests.conformance.converge import converge, plan
from tests.conformance.events import Events, Sickness
from tests.conformance.holding import assert_becomes_healthy, assert_holds
from tests.conformance.subject import AilingSubject, Seen
from tests.conformance.suite import Conformance
from tests.fakes.alloy import UNUSABLE, FakeAlloy

VALIDATE = """
if test -d "$1"; then set -- "$1"/*.alloy; fi
for file; do
  line=$(grep -n missing "$file" | cut -d: -f1)
  test -z "$line" && continue
  printf 'Error: %s:%s:1: cannot find the definition of component name "local.missing"\\n\\n' "$file" "$line" >&2
  printf '%s | local.missing "a" {\\n' "$line" >&2
  exit 1
done
"""


class AlloySubject(AilingSubject):
    kind = "alloy"
    first: ClassVar[Files] = {
        "config.alloy": b'logging {\n  level = "info"\n}\n',
        "modules/a.alloy": b"a",
        "modules/b.alloy": b"b",
    }
    second: ClassVar[Files] = {
        "config.alloy": b'logging {\n  level = "warn"\n}\n',
        "modules/a.alloy": b"a",
        "modules/c.alloy": b"c",
    }
    without: ClassVar[Files] = {**first, "config.alloy": b"logging {\n}\n"}
    garbage: ClassVar[Mapping[str, Files]] = {
        "an unknown component": {**first, "config.alloy": b'logging {\n}\nlocal.missing "a" {}\n'},
    }
    kill_every = 3

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory)
        self.live = directory / "published/current"
        self.program = FakeAlloy(port, self.live / "config.alloy")
        (directory / "validate").write_text(VALIDATE)

    def settings(self) -> dict[str, Any]:
        return {
            "directory": str(self.directory / "published"),
            "address": self.program.url,
            "check": ["sh", str(self.directory / "validate"), "{staged}/{config}"],
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
        (self.live / "config.alloy").write_bytes(b"// by hand\n")

    def vandalise(self) -> None:
        (self.live / "modules/a.alloy").unlink()

    def with_secret(self, placeholder: str) -> Files:
        return {**self.first, "password": placeholder.encode()}

    @contextmanager
    def ailing(self) -> Iterator[None]:
        self.program.stop()
        yield
        self.program.start()


class TestAlloy(Conformance, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[AlloySubject]:
        subject = AlloySubject(tmp_path, free_port())
        yield subject
        subject.program.stop()

    def test_the_author_is_told_file_and_line(self, subject: AlloySubject) -> None:
        with pytest.raises(InvalidRevision) as raised:
            plan(subject.target(), subject.garbage["an unknown component"])
        assert str(raised.value) == 'config.alloy:3: cannot find the definition of component name "local.missing"'

    def test_a_refused_reload_brings_the_previous_files_back(self, subject: AlloySubject) -> None:
        target = subject.target()
        converge(target, subject.first)
        with pytest.raises(ApplyFailed, match=r"alloy refused the new files: .*cannot find.*; the previous files are back"):
            converge(target, {**subject.first, "config.alloy": UNUSABLE}, applied=subject.first)
        assert_holds(subject, subject.first)
        assert_becomes_healthy(target, subject)

    def test_a_command_that_reloads_nothing_is_found_out(self, subject: AlloySubject) -> None:
        converge(subject.target(), subject.first)
        target = subject.target(reload=["true"], reload_timeout="300ms")
        with pytest.raises(ApplyFailed, match="has not reloaded its configuration within"):
            converge(target, subject.second, applied=subject.first)

    def test_one_that_uses_older_files_is_degraded(self, subject: AlloySubject) -> None:
        target = subject.target()
        converge(target, subject.first)
        published = subject.live / "config.alloy"
        published.write_bytes(UNUSABLE)
        assert subject.program.post("/-/reload")[0] == 400
        assert target.health().status is HealthStatus.DEGRADED

    def test_started_with_the_directory_it_has_no_main_file(self, subject: AlloySubject) -> None:
        target = subject.target(config="", check=["sh", str(subject.directory / "validate"), "{staged}"])
        with pytest.raises(InvalidRevision, match=r"^a.alloy:1: cannot find the definition"):
            plan(target, {"a.alloy": b'local.missing "a" {}\n'})
        assert plan(target, {"a.alloy": b"logging {}\n"})
