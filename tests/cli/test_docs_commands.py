"""The commands that the how-to pages and operations show, run as they stand: on a host with a bare repository, a target and the
agent. What such a host cannot have is listed, with the reason; anything else that a page shows is run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.world import World, eventually
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_NAME = "mini-cloud"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_ELSEWHERE = {
    r"sudo |.*/etc/hosts|systemctl |install -": "it changes the host",
    r"docker ": "images come from a registry; tests/test_packaging.py holds the Dockerfile to what there is",
    r"pip install|uvx |python3 -m venv|/opt/.*pip install": "tests/test_packaging.py installs the wheel",
    r"cp ca.pem|scp |ssh ": "there is no worker; tests/stack runs its script",
    r"gitops-agent (adopt|bootstrap)": "tests/adopt and tests/bootstrap have the systems for it",
    r"cd config|git init .*As it was": "what adopt wrote; tests/adopt goes on with it",
    r"gitops-agent (check$|apply --config agent/)": "the same",
    r"gitops-agent (show|approve|apply mini-cloud)": "tests/worker/test_approval.py has a plan that awaits approval",
    r"gitops-agent (plan$|sync --allow-deletes)": "tests/cli/test_run.py has a plan that needs consent",
    r"gitops-agent rollback|git revert|git push": "tests/cli/test_rollback.py has commits to go back over; the tutorial reverts",
    r"gpg --armor": "tests/source/test_signatures.py has keys",
    r"gitops-agent (sync|apply) .*--skip-gate": "a gate needs Gitea; tests/worker/test_gate.py has one",
}
"""Beginnings of lines, and why they are not run here."""


def lines(page: Path) -> Iterator[str]:
    for block in _BLOCK.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not any(re.match(beginning, line) for beginning in _ELSEWHERE):
                yield line


PAGES = [page for page in (*sorted(ROOT.glob("docs/how-to/*.md")), ROOT / "docs/operations.md") if [*lines(page)]]


class Host(World):
    """`run` in one terminal: a directory that was changed stays so."""

    def __init__(self, path: Path, port: int) -> None:
        super().__init__(path, port)
        self.here = path
        (path / "clone").symlink_to(self.repo)
        self.push({"pages/index.html": "one\n"})

    def configure(self, targets: str = "", **environment: str) -> None:
        super().configure(targets, **environment)
        self.toml.write_text(self.toml.read_text().replace("[environments.live]", f"[environments.{_NAME}]"))

    @property
    def target(self) -> str:
        return super().target.replace("environments.live", f"environments.{_NAME}")

    def run(self, line: str) -> None:
        """Fails the test where the command does. Some say by their status that something was changed."""
        done = subprocess.run(
            ["bash", "-c", f'{line}\nended=$?; pwd > "{self.path}/where"; exit $ended'],
            cwd=self.here,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(self.path),
                "EDITOR": "true",
                "GIT_EDITOR": "true",
                "GIT_CONFIG_GLOBAL": f"{self.path}/.gitconfig",
            },
        )
        self.here = Path((self.path / "where").read_text().strip())
        assert done.returncode in (0, 3), f"{line}: {done.returncode}\n{done.stdout}{done.stderr}"

    def applied(self, text: str) -> None:
        eventually(lambda: self.published("index.html") == text)


@pytest.fixture
def host(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Host]:
    host = Host(tmp_path, free_port())
    yield host
    host.stop()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_the_page_work(host: Host, page: Path) -> None:
    if page.stem == "operations":
        host.serve()
        host.applied("one\n")
    for line in lines(page):
        if line.startswith("gitops-agent apply"):
            host.stop()  # as the page says
            host.push({"pages/index.html": "two\n"})
        if line.startswith("gitops-agent doctor"):
            host.serve()
        if re.match(r"git |gitops-agent (hooks|render)", line) and host.here == host.path:
            host.run(f"cd clone; {line}; ended=$?; cd ..; (exit $ended)")
        else:
            host.run(line)
