"""`--help`, mistakes on the command line, and what the program imports to say something."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_agent import __version__
from gitops_agent.cli.commands import program
from tests.cli.conftest import Cli

COMMANDS = [
    "demo",
    "init",
    "bootstrap",
    "adopt",
    "serve",
    "check",
    "render",
    "hooks",
    "status",
    "runs",
    "show",
    "doctor",
    "sync",
    "approve",
    "suspend",
    "resume",
    "plan",
    "apply",
    "rollback",
]


def test_a_command_is_built_alone() -> None:
    """The others are not imported for it."""
    for name in COMMANDS:
        assert [command.name for command in program(name).registered_commands] == [name]
    assert len(program("nonesuch").registered_commands) == len(program().registered_commands) == len(COMMANDS)


def test_what_was_started_early_and_not_asked_for_is_ended(cli: Cli) -> None:
    ended = cli("check", "--nonesuch")  # a process that is left would be a ResourceWarning, and an error there
    assert (ended.status, ended.err.splitlines()[0]) == (2, "error: No such option: --nonesuch")


def test_names_every_command(here: Cli) -> None:
    ended = here("--help")
    assert ended.status == 0
    assert re.findall(r"^  ([a-z]+)  +[A-Z]", ended.out, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(here: Cli, command: str) -> None:
    ended = here(command, "--help")
    assert ended.status == 0, ended.err
    assert ended.out.startswith(f"Usage  gitops-agent {command}")
    assert "<" not in ended.out, "an option shows the type of its value instead of what it means"
    assert max(map(len, ended.out.splitlines())) <= 100


def test_version(here: Cli) -> None:
    assert here("--version").out == f"gitops-agent {__version__}\n"


def test_without_a_command_is_help_and_a_mistake(here: Cli) -> None:
    ended = here()
    assert (ended.status, "Exit status" in ended.out) == (2, True)


def test_a_mistake_is_one_line_with_the_nearest_name(here: Cli) -> None:
    ended = here("chek")
    assert ended.status == 2
    assert ended.err == "error: No such command 'chek'. Did you mean 'check'?\ngitops-agent --help says what there is\n"


def test_help_imports_nothing_heavy() -> None:
    """What keeps it fast, whatever the host does; `script/bench` says how fast."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gitops_agent", "--help"], capture_output=True, text=True, check=True
    )
    loaded = set(re.findall(r"\| +([a-z_0-9]+)", done.stderr))
    assert "typer" in loaded
    assert loaded.isdisjoint({"pydantic", "rich", "requests", "flask", "sqlalchemy", "jinja2", "git", "yaml", "docker", "watchdog"})


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals(no_color: str, coloured: bool, cli: Cli, tmp_path: Path) -> None:
    assert "\033[" not in cli("--help", env={"NO_COLOR": no_color}).out
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-m", "gitops_agent", "--help"], stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = _read_all(ours)
        assert process.wait() == 0
    assert ("\033[" in shown) is coloured


def _read_all(descriptor: int) -> str:
    data = b""
    while True:
        try:
            part = os.read(descriptor, 4096)
        except OSError:  # how Linux says that nobody holds the other end any more
            part = b""
        if not part:
            os.close(descriptor)
            return data.decode()
        data += part
