"""A mini-cloud made by hand is taken over without anything being written, restarted or made anew; then a push changes one thing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adopt.handmade import Handmade, make_images
from tests.canary import Canary
from tests.conftest import ROOT
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.targets.nomad.server import NomadServer

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def handmade(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Handmade]:
    make_images(binary)
    made = Handmade(tmp_path_factory.mktemp("by-hand"), free_port)
    made.write()
    try:
        made.up()
        made.fill()
        yield made
    finally:
        made.down()


class Agent:
    """The commands as a person gives them; all that they print is watched."""

    def __init__(self, directory: Path, canary: Canary) -> None:
        self.repository = directory / "config"
        self.state = directory / "state"
        self._said: list[str] = []
        canary.watch(lambda: "\n".join(self._said), name="what the commands print")
        canary.watch(self.repository)

    def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        command = [ROOT / ".venv/bin/gitops-agent", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        self._said += [done.stdout, done.stderr]
        return done.returncode, done.stdout + done.stderr

    def adopt(self, *more: str | Path) -> tuple[int, str]:
        return self("adopt", self.repository, "--state", self.state, *more)

    def apply(self) -> dict[str, Any]:
        status, said = self("apply", "--config", self.repository / "agent/agent.toml", "--json")
        assert status in (0, 3), said
        found: dict[str, Any] = json.loads(said)
        return found

    def commit(self, message: str) -> None:
        for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", message]):
            subprocess.run(["git", "-C", str(self.repository), *command], check=True)


@pytest.fixture
def agent(tmp_path: Path, canary: Canary, handmade: Handmade) -> Agent:
    for value in handmade.secrets:
        canary.secret(value)
    return Agent(tmp_path, canary)


@pytest.fixture
def nomad() -> Iterator[NomadServer]:
    """With one job that was submitted with its source, and one that nobody knows where it came from."""
    with FakeNomad() as fake:
        server = NomadServer(fake.url, MANAGEMENT)
        hcl = 'job "web" {\n  group "web" {\n    task "web" {\n      driver = "docker"\n    }\n  }\n}\n'
        source = {"Source": hcl, "Format": "hcl2", "Variables": ""}
        server.call("POST", "jobs", {"Job": server.parse(hcl), "Submission": source})
        server.register(server.parse(hcl.replace("web", "forgotten")))
        yield server


def _tokens(directory: Path, handmade: Handmade, nomad: NomadServer) -> list[str | Path]:
    """Options for all systems."""
    said: list[str | Path] = ["--project", handmade.project, "--address", f"nomad={nomad.url}"]
    for system, token in (("consul", handmade.token), ("vault", handmade.root), ("nomad", nomad.management)):
        file = directory / f"{system}-token"
        file.write_text(f"{token}\n")
        said += [f"--{system}-token", file]
    return said


def test_what_was_not_taken_is_told(handmade: Handmade, nomad: NomadServer, agent: Agent, tmp_path: Path) -> None:
    status, said = agent.adopt(*_tokens(tmp_path, handmade, nomad), "--json")
    assert status == 0, said
    found = json.loads(said)["left"].items()
    left = {why: {one["what"].removeprefix(f"{handmade.directory}/") for one in things} for why, things in found}
    assert {"notes.txt", "consul/server.json.bak", "nginx/sites-old/blog.conf"} <= left["unmounted"]
    assert {"app/uploads", "nginx/upstreams", "nginx/upstreams/app.conf", "token for a day"} <= left["written"]
    assert {"job forgotten", "entries of secret/"} <= left["system"]
    readme = (agent.repository / "README.md").read_text()
    assert "job forgotten" in readme
    assert "notes.txt" in readme


def test_secrets_lie_where_the_agent_finds_them(handmade: Handmade, agent: Agent) -> None:
    status, said = agent.adopt("--project", handmade.project)
    assert status == 0, said
    secrets = {path.name: path.read_text() for path in (agent.state / "secrets").iterdir()}
    assert {*secrets.values()} == handmade.secrets
    assert {path.stat().st_mode & 0o777 for path in (agent.state / "secrets").iterdir()} == {0o600}
    shared = [path for path in agent.repository.rglob("*.j2") if "file:consul-http-token" in path.read_text()]
    assert len(shared) == 4, "one name for one value: server.json, .env, docker-compose.yml and prometheus.yml"


def test_a_directory_that_holds_something_is_refused(agent: Agent) -> None:
    agent.repository.mkdir()
    (agent.repository / "mine.txt").write_text("mine")
    assert agent.adopt() == (2, f"error: {agent.repository} is not empty\n")


def test_nothing_is_touched_and_a_push_changes_one_thing(
    handmade: Handmade, nomad: NomadServer, agent: Agent, tmp_path: Path
) -> None:
    jobs = nomad.call("GET", "jobs")
    before = handmade.seen()
    status, said = agent.adopt(*_tokens(tmp_path, handmade, nomad))
    assert status == 0, said
    assert handmade.seen() == before
    assert agent("check", agent.repository)[0] == 0
    assert {path.name for path in agent.repository.iterdir() if path.is_dir()} == {
        *("agent", "values", "compose", "nginx", "consul-template", "consul-server", "vault-server", "prometheus"),
        *("consul", "consul-shop", "vault", "nomad"),
    }

    agent.commit("As it was")
    keys = handmade.indexes()
    assert {change["action"] for plan in agent.apply()["plans"] for change in plan["changes"]} == {"adopt"}
    assert handmade.seen() == before
    assert agent.apply()["plans"] == []
    assert (handmade.seen(), handmade.indexes(), nomad.call("GET", "jobs")) == (before, keys, jobs)

    page = agent.repository / "nginx/nginx.conf"
    page.write_text(page.read_text().replace("first", "second"))
    agent.commit("Say something else")
    changes = [(plan["target"], change["action"], change["name"]) for plan in agent.apply()["plans"] for change in plan["changes"]]
    assert changes == [("nginx", "update", "nginx.conf")]
    assert handmade.page() == "second"
    after = handmade.seen()
    assert after["containers"] == before["containers"]
    changed = {path for path, file in after["files"].items() if file != before["files"][path]}
    assert changed == {str(handmade.directory / "nginx/nginx.conf")}
    inodes = {seen["files"][path][0] for seen in (before, after) for path in changed}
    assert len(inodes) == 1, "the container mounts that very file"
