"""Steps look before they act, go on where they were killed, and say what is missing; secrets are made once."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gitops_agent import app
from gitops_agent.bootstrap import Blueprint, Credentials, Ground, Step, climb, look_at
from gitops_agent.bootstrap.made_secrets import MadeSecrets
from gitops_agent.errors import ApplyFailed, ConfigError, Unavailable
from tests.cli.conftest import Cli, cli, here  # noqa: F401 -- fixtures


class _Mark(Step):
    def __init__(self, name: str, file: Path, *, works: bool = True) -> None:
        self.name, self._file, self._works = name, file, works

    def missing(self) -> str:
        if not self._file.parent.is_dir():
            raise Unavailable(f"{self._file.parent} is not there")
        return "" if self._file.exists() else f"no {self._file.name}"

    def do(self) -> None:
        if self._works:
            self._file.touch()


@contextmanager
def _silently(name: str, missing: str) -> Iterator[None]:
    yield


def test_only_what_is_missing_is_done_and_the_environment_taken_once(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    taken: list[str] = []
    series = [_Mark(name, tmp_path / name) for name in "abc"]
    assert [look.missing for look in look_at(series)] == ["", "no b", "no c"]
    assert climb(series, lambda: taken.append("taken"), _silently) == 2
    assert climb(series, lambda: taken.append("taken"), _silently) == 0
    assert taken == ["taken"]


def test_a_step_that_mended_nothing_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(ApplyFailed, match="no a, and what should have mended it did not"):
        climb([_Mark("a", tmp_path / "a", works=False)], lambda: None, _silently)


def test_what_cannot_be_told_yet_is_said(tmp_path: Path) -> None:
    look = next(look_at([_Mark("a", tmp_path / "gone/a")]))
    assert look.unknown.endswith("gone is not there")


def _git(repo: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", repo, "-c", "user.name=a", "-c", "user.email=a@b.test", *arguments], check=True)


@pytest.fixture
def repo(tmp_path: Path, here: Cli) -> Path:  # noqa: F811
    path = tmp_path / "repo"
    assert here("init", path, "--domain", "mini.test").status == 0
    (path / "values/mini-cloud.yaml").write_text(f"root: {tmp_path}/root\nwithout: [gitea, concourse-web, concourse-worker]\n")
    _git(path, "init", "--quiet", "-b", "main")
    return path


@pytest.fixture
def ground(repo: Path) -> Iterator[Ground]:
    _git(repo, "add", ".")
    _git(repo, "commit", "--quiet", "-m", "Begin")
    made = Ground(Blueprint.read(repo), lambda settings, name, source: app.reconciler(settings, name, source=source), Credentials())
    yield made
    made.close()


def test_a_repository_without_a_commit_is_no_beginning(repo: Path) -> None:
    with pytest.raises(ConfigError, match="no commit on main"):
        Blueprint.read(repo)


def test_every_secret_is_made_once_for_nobody_else(ground: Ground) -> None:
    """Killed half-way: what is there stays as it is, what is not is made."""
    step = MadeSecrets(ground)
    ground.secrets.write("consul-server-consul-token", "chosen-before")
    step.do()
    assert step.missing() == ""
    files = {path.name: path for path in ground.secrets.directory.iterdir()}
    assert files.keys() == {name for name, form in ground.blueprint.secrets.items() if form != "issued"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    assert files["consul-server-consul-token"].read_text() == "chosen-before"
    before = {name: path.read_text() for name, path in files.items()}
    assert len(set(before.values())) == len(before)
    files["grafana-admin"].unlink()
    step.do()
    after = {name: path.read_text() for name, path in files.items()}
    assert {name for name in before if before[name] != after[name]} == {"grafana-admin"}


def test_a_public_half_belongs_to_its_key(ground: Ground) -> None:
    MadeSecrets(ground).do()
    key = serialization.load_pem_private_key(ground.secrets.read("concourse-worker-key").encode(), None)
    half = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert ground.secrets.read("concourse-worker-key-public") == half.decode()


def test_what_is_left_out_has_no_target_and_no_container(ground: Ground) -> None:
    targets = {target.name for target in ground.blueprint.settings.environments["mini-cloud"].targets}
    assert not targets & {"gitea", "concourse"}
    assert {"consul", "vault", "nomad", "compose"} <= targets
    assert ground.blueprint.settings.environments["mini-cloud"].source == f"{ground.blueprint.facts.root}/config.git"
