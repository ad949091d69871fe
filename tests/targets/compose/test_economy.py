"""What a run costs: programs started, told by a Compose that counts its calls; and another Compose that hashes differently."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.targets.compose.stack import Stack, folder, reasons, service

pytestmark = [pytest.mark.server, pytest.mark.slow]


class Wrapped:
    """A `docker-compose` before the real one, in a home directory of its own."""

    def __init__(self, home: Path) -> None:
        self._real = shutil.which("docker-compose") or str(Path.home() / ".docker/cli-plugins/docker-compose")
        self._calls = home / "calls"
        self._calls.touch()
        self._program = home / ".docker/cli-plugins/docker-compose"
        self._program.parent.mkdir(parents=True)
        self.wrap("")

    def wrap(self, filtered: str) -> None:
        """`filtered` is a sed expression for what `config --hash` says; writing the program makes it another Compose."""
        filtering = f'case "$*" in *--hash*) "{self._real}" "$@" | sed "{filtered}"; exit;; esac\n' if filtered else ""
        self._program.write_text(f'#!/bin/sh\necho "$@" >> "{self._calls}"\n{filtering}exec "{self._real}" "$@"\n')
        self._program.chmod(0o755)

    def calls(self) -> list[str]:
        calls = self._calls.read_text().splitlines()
        self._calls.write_text("")
        return calls


@pytest.fixture
def wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wrapped:
    home = tmp_path / "home"
    home.mkdir()
    made = Wrapped(home)
    monkeypatch.setenv("HOME", str(home))
    return made


@pytest.fixture
def stack(tmp_path: Path, project: str, wrapped: Wrapped) -> Iterator[Stack]:
    with closing(Stack(tmp_path, project)) as made:
        yield made


def test_an_unchanged_project_starts_no_program(stack: Stack, wrapped: Wrapped) -> None:
    files = folder({"web": service(), "db": service()})
    stack.apply(files)
    wrapped.calls()
    for _ in range(2):
        assert not stack.plan(files)
        stack.restarted()
    assert wrapped.calls() == []


def test_a_changed_service_costs_three_calls(stack: Stack, wrapped: Wrapped) -> None:
    stack.apply(folder({"web": service(), "db": service()}))
    wrapped.calls()
    stack.apply(folder({"web": service("labels: {a: b}"), "db": service()}))
    called = [
        next(word for word in ("--format", "--hash", "up", "other") if word in [*call.split(), "other"]) for call in wrapped.calls()
    ]
    assert called == ["--format", "--hash", "up"]


def test_another_compose_makes_nothing_anew(stack: Stack, wrapped: Wrapped) -> None:
    """Failure mode 25: it hashes every service differently, and only what changed in the repository is touched."""
    services = {"web": service(), "db": service()}
    stack.apply(folder(services))
    wrapped.wrap("s/ ./ x/")
    stack.restarted()
    assert not stack.plan(folder(services))
    plan = stack.plan(folder({**services, "web": service("labels: {a: b}")}))
    assert [*reasons(plan)] == ["service:web"]
