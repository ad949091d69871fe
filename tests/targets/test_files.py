"""`files`, both ways to publish, with a program made of shell scripts: it uses what it loaded last, not what lies on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.model import Files
from tests.conformance.adoption import Adoption
from tests.conformance.events import Events
from tests.conformance.subject import AdoptableSubject, Seen, Subject
from tests.conformance.suite import Conformance

CHECK = """
grep -rn unreachable "$1" && exit 75
grep -rn bad "$1" >&2 && exit 1
exit 0
"""
RELOAD = """
grep -rq refused "$1" && { echo "the program will not have it" >&2; exit 3; }
rm -rf "$2.new" && mkdir "$2.new" && cp -rL "$1/." "$2.new" && rm -rf "$2" && mv "$2.new" "$2"
"""
VERIFY = """
diff -rq -x .gitops-agent "$1" "$2"
"""


class FilesSubject(Subject):
    kind = "files"
    first: ClassVar[Files] = {"main.conf": b"one\ntwo\nthree\n", "conf.d/a.conf": b"a\n", "conf.d/b.conf": b"b\n"}
    second: ClassVar[Files] = {"main.conf": b"one\n2\nthree\n", "conf.d/a.conf": b"a\n", "new/c.conf": b"\xff\x00c"}
    without: ClassVar[Files] = {**first, "main.conf": b"one\nthree\n"}
    garbage: ClassVar[Mapping[str, Files]] = {
        "refused by the check": {**first, "conf.d/b.conf": b"good\nbad\n"},
        "the agent's own name": {**first, ".gitops-agent/record.json": b"{}"},
        "a forged secret": {**first, "main.conf": b"gitops_secret_abc_0123456789abcdef0123456789abcdef_"},
    }
    publish = "switch"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.published = directory / "published"
        self.program = directory / "program"
        for name, script in (("check", CHECK), ("reload", RELOAD), ("verify", VERIFY)):
            (directory / name).write_text(script)

    @property
    def live(self) -> Path:
        return self.published / "current"

    def settings(self) -> dict[str, Any]:
        return {
            "directory": str(self.published),
            "publish": self.publish,
            "secrets": ["file:*"],
            "check": ["sh", str(self.directory / "check"), "{staged}"],
            "reload": ["sh", str(self.directory / "reload"), "{directory}", str(self.program)],
            "verify": ["sh", str(self.directory / "verify"), "{directory}", str(self.program)],
        }

    def look(self) -> Mapping[str, Seen]:
        return {**self._look("disk", self.live), **self._look("loaded", self.program)}

    def _look(self, where: str, directory: Path) -> dict[str, Seen]:
        found = {}
        for path in sorted(directory.rglob("*")):
            below = path.relative_to(directory)
            if path.is_file() and ".gitops-agent" not in below.parts and not (where == "loaded" and below.name in self.neighbours):
                status = path.stat()
                found[f"{where}:{below}"] = Seen(path.read_bytes(), (status.st_ino, status.st_mtime_ns))
        return found

    neighbours: ClassVar[frozenset[str]] = frozenset()

    def expected(self, files: Files) -> Mapping[str, Any]:
        return {f"{where}:{path}": content for where in ("disk", "loaded") for path, content in files.items()}

    def tamper(self) -> None:
        with (self.live / "main.conf").open("ab") as file:
            file.write(b"by hand\n")

    def vandalise(self) -> None:
        (self.live / "conf.d/a.conf").unlink()

    def with_secret(self, placeholder: str) -> Files:
        return {**self.first, "password": placeholder.encode()}


class InPlaceSubject(FilesSubject, AdoptableSubject):
    publish = "in-place"
    neighbours = frozenset({"mime.types", "theirs.conf"})

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (self.published / "conf.d").mkdir(parents=True)
        (self.published / "mime.types").write_bytes(b"text/plain txt;\n")
        (self.published / "conf.d/theirs.conf").write_bytes(b"theirs\n")

    @property
    def live(self) -> Path:
        return self.published

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"disk:mime.types", "disk:conf.d/theirs.conf"})

    def plant(self, files: Files) -> None:
        for path, content in files.items():
            (self.live / path).parent.mkdir(parents=True, exist_ok=True)
            (self.live / path).write_bytes(content)


class TestSwitch(Conformance, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> FilesSubject:
        return FilesSubject(tmp_path)


class TestInPlace(Conformance, Adoption, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> InPlaceSubject:
        return InPlaceSubject(tmp_path)
