"""`consul-template`: with a program that reads its files as it does, and on the real one where CONSUL_TEMPLATE_BIN names it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.errors import ApplyFailed, InvalidRevision
from gitops_agent.model import Files, HealthStatus
from tests.conformance.converge import converge, plan
from tests.conformance.events import Events, Sickness
from tests.conformance.holding import assert_becomes_healthy, assert_holds, eventually
from tests.conformance.subject import AilingSubject, Seen
from tests.conformance.suite import Convergence
from tests.targets.supervised import Supervised

PROGRAM = """
import pathlib, shutil, signal, sys, os
live, used, pid = map(pathlib.Path, sys.argv[1:])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
pid.write_text(str(os.getpid()))
while True:
    config = live / "consul-template.hcl"
    if config.exists() and "unreadable" in config.read_text():
        sys.exit(14)
    shutil.rmtree(used, ignore_errors=True)
    try:
        shutil.copytree(live.resolve(), used)
    except OSError:  # another version was published meanwhile
        continue
    if (used / "a.tpl").exists():
        (used.parent / "rendered").write_bytes((used / "a.tpl").read_bytes())
    signal.sigwait([signal.SIGHUP])
"""
CHECK = """
grep -q 'foo' "$1"/*.tpl || exit 0
echo "2026-11-23T22:48:24.925Z [ERR] (cli) $(grep -l foo "$1"/*.tpl): parse: template: :1: function \\"foo\\" not defined" >&2
exit 14
"""


class ConsulTemplateSubject(AilingSubject):
    kind = "consul-template"
    first: ClassVar[Files] = {"consul-template.hcl": b"a = 1\nb = 2\n", "a.tpl": b"a\n", "b.tpl": b"b\n"}
    second: ClassVar[Files] = {"consul-template.hcl": b"a = 1\nb = 2\n", "a.tpl": b"a2\n", "c.tpl": b"c\n"}
    without: ClassVar[Files] = {**first, "consul-template.hcl": b"a = 1\n"}
    garbage: ClassVar[Mapping[str, Files]] = {"no such function": {**first, "b.tpl": b"{{ foo }}"}}

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.live = directory / "published/current"
        self.used = directory / "used"
        self.pid = directory / "own.pid"  # written once it listens to signals
        (directory / "check").write_text(CHECK)
        config = self.live / "consul-template.hcl"
        self.server = Supervised([sys.executable, "-c", PROGRAM, self.live, self.used, self.pid], config, directory / "program.out")

    def settings(self) -> dict[str, Any]:
        return {
            "directory": str(self.directory / "published"),
            "check": ["sh", str(self.directory / "check"), "{staged}"],
            "pid": str(self.pid),
            "settle": "100ms",
            "secrets": ["file:*"],
        }

    def look(self) -> Mapping[str, Seen]:
        paths = [path for path in sorted(self.live.rglob("*")) if path.is_file() and ".gitops-agent" not in path.parts]
        return {
            str(path.relative_to(self.live)): Seen(path.read_bytes(), (path.stat().st_ino, path.stat().st_mtime_ns))
            for path in paths
        }

    def expected(self, files: Files) -> Mapping[str, Any]:
        return files

    def tamper(self) -> None:
        (self.live / "a.tpl").write_bytes(b"by hand\n")

    def vandalise(self) -> None:
        (self.live / "b.tpl").unlink()

    def with_secret(self, placeholder: str) -> Files:
        return {**self.first, "password": placeholder.encode()}

    @contextmanager
    def ailing(self) -> Iterator[None]:
        with self.server.down():
            yield

    def uses(self, path: str, content: bytes) -> bool:
        return (self.used / path).is_file() and (self.used / path).read_bytes() == content


class TestConsulTemplate(Convergence, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Iterator[ConsulTemplateSubject]:
        subject = ConsulTemplateSubject(tmp_path)
        with subject.server.running():
            yield subject

    def test_it_is_told(self, subject: ConsulTemplateSubject) -> None:
        target = subject.target()
        converge(target, subject.first)
        assert_becomes_healthy(target, subject)
        converge(target, subject.second, applied=subject.first)
        eventually(lambda: subject.uses("a.tpl", b"a2\n"), 10, "new files in use")

    def test_what_ends_it_is_taken_back(self, subject: ConsulTemplateSubject) -> None:
        target = subject.target(settle=10)
        converge(subject.target(), subject.first)
        assert_becomes_healthy(target, subject)
        with pytest.raises(ApplyFailed, match=r"consul-template ended.*; the previous files are back"):
            converge(target, {**subject.first, "consul-template.hcl": b"unreadable\n"}, applied=subject.first)
        assert_holds(subject, subject.first)
        assert_becomes_healthy(target, subject)

    @pytest.mark.parametrize(
        ("template", "said"),
        [
            pytest.param(b"\n", "consul-template rendered {rendered} empty", id="empty"),
            pytest.param(b"broken\n", "what consul-template rendered fails sh: broken in {rendered}", id="broken"),
        ],
    )
    def test_what_it_renders_is_looked_at(self, subject: ConsulTemplateSubject, template: bytes, said: str) -> None:
        rendered = subject.directory / "rendered"
        looked = f"! grep -q broken {rendered} || {{ echo broken in {rendered} >&2; exit 1; }}"
        target = subject.target(renders=[str(rendered)], renders_check=["sh", "-c", looked], settle="500ms")
        converge(target, subject.first)
        assert_becomes_healthy(target, subject)
        converge(target, subject.second, applied=subject.first)
        assert rendered.read_bytes() == b"a2\n"
        with pytest.raises(ApplyFailed, match=f"^{said.format(rendered=rendered)}; the previous files are back"):
            converge(target, {**subject.second, "a.tpl": template}, applied=subject.second)
        eventually(lambda: rendered.read_bytes() == b"a2\n", 10, "the last good one is rendered again")
        assert_holds(subject, subject.second)

    def test_what_it_does_not_render_is_named(self, subject: ConsulTemplateSubject) -> None:
        target = subject.target(reload_timeout="500ms")
        converge(target, subject.first)
        assert_becomes_healthy(target, subject)
        target = subject.target(reload_timeout="500ms", renders=[str(subject.directory / "missing")])
        with pytest.raises(ApplyFailed, match=r"has not rendered .*/missing within"):
            converge(target, subject.second, applied=subject.first)
        assert_holds(subject, subject.first)

    def test_the_author_is_told_file_and_line(self, subject: ConsulTemplateSubject) -> None:
        with pytest.raises(InvalidRevision, match=r'^b.tpl:1: function "foo" not defined$'):
            plan(subject.target(), {**subject.first, "b.tpl": b"{{ foo }}"})

    def test_without_a_way_to_tell_it_nothing_is_left_published(self, subject: ConsulTemplateSubject) -> None:
        with pytest.raises(ApplyFailed, match="neither `pid` nor `reload`"):
            converge(subject.target(pid=None), subject.first)


@pytest.mark.live
@pytest.mark.skipif("CONSUL_TEMPLATE_BIN" not in os.environ, reason="CONSUL_TEMPLATE_BIN names no consul-template")
def test_the_real_one(tmp_path: Path) -> None:
    binary, pid, out = os.environ["CONSUL_TEMPLATE_BIN"], tmp_path / "pid", tmp_path / "out"
    subject = ConsulTemplateSubject(tmp_path)
    config = subject.live / "consul-template.hcl"
    server = Supervised([binary, "-config", config], config, tmp_path / "consul-template.out")

    def files(template: str, source: str = "source") -> Files:
        text = f'pid_file = "{pid}"\ntemplate {{\n  {source} = "{subject.live}/a.tpl"\n  destination = "{out}"\n}}\n'
        return {"consul-template.hcl": text.encode(), "a.tpl": template.encode()}

    def said(broken: Files) -> str:
        with pytest.raises(InvalidRevision) as raised:
            plan(target, broken)
        return str(raised.value)

    target = subject.target(
        check=[binary, "-config", "{staged}/{config}", "-parse-only", "-dry", "-pid-file", "{staged}.pid"], pid=str(pid), settle=1
    )
    with server.running():
        converge(target, files("one"))
        eventually(lambda: out.exists() and out.read_text() == "one", 20, "rendered")
        converge(target, files("two"), applied=files("one"))
        eventually(lambda: out.read_text() == "two", 20, "rendered anew")
        assert plan(target, files("three"))
        assert out.read_text() == "two", "the check rendered"
        assert target.health().status is HealthStatus.HEALTHY
        assert said(files("{{ foo }}")).startswith('a.tpl:1: function "foo" not defined')
        assert said(files("{{ key")).startswith("a.tpl:1: ")
        assert said(files("two", "sorce")).startswith("consul-template.hcl: mapstructure decode failed")
        assert "no such file" in said({"consul-template.hcl": files("two")["consul-template.hcl"].replace(b"a.tpl", b"b.tpl")})
        looking = subject.target(check=[], pid=str(pid), settle=1, renders=[str(out)])
        converge(looking, files("four"), applied=files("two"))
        with pytest.raises(ApplyFailed, match=f"rendered {out} empty; the previous files are back"):
            converge(looking, files("{{ if false }}one{{ end }}"), applied=files("four"))
        eventually(lambda: out.read_text() == "four", 20, "rendered again")
        converge(target, files("two"), applied=files("four"))
        unchecked = subject.target(check=[], pid=str(pid), settle=10)
        with pytest.raises(ApplyFailed, match="ended when it was to read"):
            converge(unchecked, files("two", "sorce"), applied=files("two"))
        eventually(lambda: target.health().status is HealthStatus.HEALTHY, 20, "back")
    subject.close()
