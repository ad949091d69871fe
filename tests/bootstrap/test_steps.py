"""Steps look before they act, go on where they were killed, and say what is missing; secrets are made once."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gitops_agent.bootstrap import Blueprint, Ground, Step, climb, look_at
from gitops_agent.bootstrap.agent import FirstRun
from gitops_agent.bootstrap.made_secrets import MadeSecrets
from gitops_agent.cli.climbing import Climbing
from gitops_agent.cli.console import Console
from gitops_agent.errors import ApplyFailed, ConfigError, Unavailable


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
def _silently(name: str, missing: str) -> Iterator[Callable[[str], None]]:
    yield lambda said: None


def test_only_what_is_missing_is_done_and_the_environment_taken_once(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    taken: list[str] = []
    series = [_Mark(name, tmp_path / name) for name in "abc"]
    assert [look.missing for look in look_at(series)] == ["", "no b", "no c"]
    assert climb(series, lambda: taken.append("taken"), _silently) == 2
    assert climb(series, lambda: taken.append("taken"), _silently) == 0
    assert taken == ["taken"]


class _Patience(_Mark):
    """What waits for the agent."""

    alone = False


def test_whoever_only_waits_for_the_agent_lets_it_work(tmp_path: Path) -> None:
    """Seen live: a first run that was not green yet was waited for with the agent stopped, for as long as it takes."""
    taken: list[str] = []
    (tmp_path / "a").touch()
    assert climb([_Mark("a", tmp_path / "a"), _Patience("b", tmp_path / "b")], lambda: taken.append("taken"), _silently) == 1
    assert taken == []
    (tmp_path / "b").unlink()
    (tmp_path / "a").unlink()
    assert climb([_Mark("a", tmp_path / "a"), _Patience("b", tmp_path / "b")], lambda: taken.append("taken"), _silently) == 2
    assert taken == ["taken"]


def test_in_a_pipe_every_step_has_lines_with_its_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").touch()
    series = [_Mark("a", tmp_path / "a"), _Mark("b", tmp_path / "b"), _Mark("c", tmp_path / "c", works=False)]
    with pytest.raises(ApplyFailed):
        climb(series, lambda: None, Climbing(Console(), len(series)).doing)
    said = capsys.readouterr()
    lines = [" ".join(re.sub(r"\d+ m?s$", "TIME", line).split()) for line in said.out.splitlines()]
    assert lines == ["✓ 1/3 a done", "· 2/3 b no b", "✓ 2/3 b TIME", "· 3/3 c no c", "✗ 3/3 c after TIME"]
    assert said.err == ""


def test_a_first_run_that_goes_on_to_fail_is_said_and_not_waited_for() -> None:
    """Seen live: no worker was up, the status said so after two minutes, and bootstrap after fifteen."""
    messages = iter(["waits for postgres", "nomad: example: no node can take it"])
    said: dict[str, object] = {}

    def status() -> dict[str, object]:
        said.update(message=next(messages, "nomad: example: no node can take it"), outcome="failure", head="a")
        return said

    told: list[str] = []
    step = FirstRun(status, red=1)
    step.tell = told.append
    with pytest.raises(ApplyFailed, match="not green: nomad: example: no node can take it; the agent keeps trying"):
        step.do()
    assert told == ["nomad: example: no node can take it"], "how it begins is said by whoever begins it"


def test_a_step_that_mended_nothing_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(ApplyFailed, match="no a, and what should have mended it did not"):
        climb([_Mark("a", tmp_path / "a", works=False)], lambda: None, _silently)


def test_what_cannot_be_told_yet_is_said(tmp_path: Path) -> None:
    look = next(look_at([_Mark("a", tmp_path / "gone/a")]))
    assert look.unknown.endswith("gone is not there")


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
    assert before["concourse-worker-key-public"] == _public_half(before["concourse-worker-key"])
    files["grafana-admin"].unlink()
    step.do()
    after = {name: path.read_text() for name, path in files.items()}
    assert {name for name in before if before[name] != after[name]} == {"grafana-admin"}


def test_a_token_that_no_program_shows_is_not_made(ground: Ground) -> None:
    """Nomad shows Vault identities: doctor would find a token that Vault does not know."""
    assert "nomad-server-vault-token" not in ground.blueprint.secrets


def test_what_is_left_out_has_no_target_and_no_container(ground: Ground) -> None:
    targets = {target.name for target in ground.blueprint.settings.environments["mini-cloud"].targets}
    assert not targets & {"gitea", "concourse"}
    assert {"consul", "vault", "nomad", "compose"} <= targets
    assert ground.blueprint.settings.environments["mini-cloud"].source == f"{ground.blueprint.facts.root}/config.git"


def _public_half(private: str) -> str:
    key = serialization.load_pem_private_key(private.encode(), None)
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
