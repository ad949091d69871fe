"""`rollback`: what it would change, the commits that take the branch back, and what came of it."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cli.conftest import Cli
from tests.cli.world import World, eventually

pytestmark = pytest.mark.slow


def log(world: World, what: str = "%s") -> list[str]:
    command = ["git", "-C", world.bare, "log", f"--format={what}", "main"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()


def protect(world: World) -> None:
    hook = world.bare / "hooks/update"
    hook.write_text(
        '#!/bin/sh\n[ "$1" != refs/heads/main ] || { echo "Not allowed to push to protected branch main" >&2; exit 1; }\n'
    )
    hook.chmod(0o755)


@pytest.fixture
def served(world: World) -> World:
    world.configure(poll="1")
    world.serve()
    eventually(lambda: world.published("index.html") == "one\n")
    world.push({"pages/index.html": "two\n"})
    eventually(lambda: world.published("index.html") == "two\n")
    return world


def test_back_to_the_commit_before(cli: Cli, served: World) -> None:
    ended = cli("rollback", "--yes", "--why", "two was wrong", "--author", "Ann <ann@example.org>")
    assert ended.status == 0, ended.out + ended.err
    assert served.published("index.html") == "one\n"
    assert "~ update index.html" in ended.out, "what it would change"
    assert "Change pages/index.html  (Test)" in ended.out, "what is reverted"
    assert log(served)[0] == 'Revert "Change pages/index.html"'
    assert "by Ann <ann@example.org>: two was wrong" in log(served, "%b")[2]


def test_from_a_bad_head_back_to_what_is_applied(cli: Cli, served: World) -> None:
    for number in range(2):
        served.push({f"pages/bad{number}.html.j2": "{{ nothing }}"})
    eventually(lambda: json.loads(cli("status", "--json").out)[0]["outcome"] == "error")
    ended = cli("rollback", "--yes")
    assert ended.status == 0, ended.out + ended.err
    assert "nothing changes in the systems" in ended.out
    assert log(served)[:2] == ['Revert "Change pages/bad0.html.j2"', 'Revert "Change pages/bad1.html.j2"']
    assert served.published("index.html") == "two\n"


def test_to_a_commit_by_name(cli: Cli, served: World) -> None:
    served.push({"pages/index.html": "three\n"})
    ended = cli("rollback", "HEAD~2", "--yes", "--environment", "live")
    assert ended.status == 0, ended.out + ended.err
    assert served.published("index.html") == "one\n"
    assert len(log(served)) == 5


def test_without_yes_nobody_is_asked_in_a_pipe_and_nothing_is_written(cli: Cli, world: World) -> None:
    world.push({"pages/index.html": "two\n"})
    before = log(world)
    ended = cli("rollback")
    assert (ended.status, "--yes" in ended.err) == (1, True)
    assert "+ create index.html" in ended.out, "nothing is applied yet: what it would come to"
    assert log(world) == before


def test_it_needs_no_agent_but_says_that_none_answers(cli: Cli, world: World) -> None:
    world.push({"pages/index.html": "two\n"})
    assert cli("rollback", "--yes", "--no-wait").status == 0
    assert log(world)[0].startswith("Revert")
    ended = cli("rollback", "--yes")
    assert (ended.status, log(world)[0]) == (2, 'Revert "Revert "Change pages/index.html""'), ended.err
    assert "has it been started yet?" in ended.err


def test_there_is_nothing_to_take_back(cli: Cli, world: World) -> None:
    assert "one commit only" in cli("rollback", "--yes").err
    assert "nothing to take back" in cli("rollback", "HEAD", "--yes").err


def test_a_protected_branch_without_gitea(cli: Cli, world: World) -> None:
    world.push({"pages/index.html": "two\n"})
    protect(world)
    ended = cli("rollback", "--yes")
    assert (ended.status, "protected branch main, and without Gitea" in ended.err) == (1, True), ended.err


def test_where_commits_are_signed_a_key_is_asked_for_before_anything_else(cli: Cli, world: World) -> None:
    world.push({"pages/index.html": "two\n"})
    world.configure(allowed_signers=f'"{world.path}/allowed"')
    (world.path / "allowed").touch()
    ended = cli("rollback", "--yes")
    assert (ended.status, "--signing-key" in ended.err) == (1, True), ended.err
