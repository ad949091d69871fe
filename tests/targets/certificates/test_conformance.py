"""Certificates under the suite that every kind passes, both ways to publish, with an authority of somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent import secret
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files
from gitops_agent.secret import Secret
from tests.conformance.adoption import Adoption
from tests.conformance.converge import converge
from tests.conformance.events import Events
from tests.conformance.subject import KEY, REFERENCE, AdoptableSubject, Seen, Subject
from tests.conformance.suite import Conformance
from tests.targets.certificates.authority import Authority, names_in

_FIRST = {
    "git.mini.test": ["git.mini.test", "gitea.mini.test"],
    "old.mini.test": ["old.mini.test"],
    "same.mini.test": ["same.mini.test"],
}
_SECOND = {
    "git.mini.test": ["git.mini.test", "code.mini.test"],
    "new.mini.test": ["*.new.mini.test"],
    "same.mini.test": ["same.mini.test"],
}


def _files(names: Mapping[str, list[str]]) -> Files:
    lines = [f"  {name}: {{names: {[*names[name]]}}}".replace("'", '"') for name in names]
    return {"certificates.yaml": "\n".join(["certificates:", *lines, ""]).encode()}


_BAD = {
    "no YAML": b"certificates: [",
    "no host name": b"certificates: {a: {names: [a_b]}}",
    "a name of the authority's": b"certificates: {ca: {names: [a.test]}}",
    "longer than anybody trusts": b"certificates: {a: {days: 5000}}",
    "an unknown part": b"certs: {a: {}}",
    "a path": b"certificates: {../a: {names: [a.test]}}",
    "a name that agent.toml does not allow": b"certificates: {a: {names: [example.org]}}",
}


class CertificatesSubject(Subject):
    kind = "certificates"
    kill_every = 3  # publishing is killed at each call in tests/targets/test_files.py
    first: ClassVar[Files] = _files(_FIRST)
    second: ClassVar[Files] = _files(_SECOND)
    without: ClassVar[Files] = _files({**_FIRST, "git.mini.test": ["git.mini.test"]})
    garbage: ClassVar[Mapping[str, Files]] = {
        **{what: {"certificates.yaml": content} for what, content in _BAD.items()},
        "another file": {**_files(_FIRST), "certificates.json": b"{}"},
    }
    publish = "switch"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.published = directory / "published"
        self.authority = Authority(directory / "authority")

    @property
    def live(self) -> Path:
        return self.published / "current"

    def settings(self) -> dict[str, Any]:
        files = {"authority": str(self.authority.certificate), "authority_key": str(self.authority.key)}
        return {"directory": str(self.published), "publish": self.publish, "only": ["*.mini.test"], "secrets": ["file:*"], **files}

    def look(self) -> Mapping[str, Seen]:
        found = {}
        for path in sorted(self.live.glob("*")):
            if path.is_file():
                status = path.stat()
                found[path.name] = Seen(self._content(path), (status.st_ino, status.st_mtime_ns))
        return found

    def _content(self, path: Path) -> Any:
        if path.name.endswith("-key.pem"):
            return f"{path.stat().st_mode:o}"
        return self.authority.certificate.read_bytes() if path.name == "ca.pem" else names_in(path.read_bytes())

    def expected(self, files: Files) -> Mapping[str, Any]:
        chosen = {self.first["certificates.yaml"]: _FIRST, self.second["certificates.yaml"]: _SECOND}
        names = chosen.get(files["certificates.yaml"], {**_FIRST, "git.mini.test": ["git.mini.test"]})
        found: dict[str, Any] = {"ca.pem": self.authority.certificate.read_bytes()}
        for name, hosts in names.items():
            found |= {f"{name}.pem": sorted(hosts), f"{name}-key.pem": "100600"}
        return found

    def tamper(self) -> None:
        (self.live / "git.mini.test-key.pem").write_bytes((self.live / "same.mini.test-key.pem").read_bytes())

    def vandalise(self) -> None:
        (self.live / "git.mini.test.pem").unlink()

    def with_secret(self, placeholder: str) -> Files:
        return {"certificates.yaml": f"certificates: {{a: {{names: ['{placeholder}']}}}}".encode()}


class InPlaceSubject(CertificatesSubject, AdoptableSubject):
    publish = "in-place"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.published.mkdir()
        self.authority.issue(self.published, "theirs", ["theirs.mini.test"])

    @property
    def live(self) -> Path:
        return self.published

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"theirs.pem", "theirs-key.pem"})

    def plant(self, files: Files) -> None:
        (self.published / "ca.pem").write_bytes(self.authority.certificate.read_bytes())
        for name, hosts in _FIRST.items():
            self.authority.issue(self.published, name, hosts)


class _NoSecrets(Conformance):
    def test_a_secret_is_applied_kept_and_never_shown(self, subject: Subject) -> None:
        """Nothing that is declared of a certificate is secret, and what is secret is declared nowhere."""
        with pytest.raises(InvalidRevision):
            converge(subject.target(), subject.with_secret(secret.placeholder(Secret(REFERENCE), KEY)))


class TestSwitch(_NoSecrets, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> CertificatesSubject:
        return CertificatesSubject(tmp_path)


class TestInPlace(_NoSecrets, Adoption, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> InPlaceSubject:
        return InPlaceSubject(tmp_path)
