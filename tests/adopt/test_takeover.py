"""A mini-cloud made by hand is taken over without anything being written, restarted or made anew; then a push changes one thing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.adopt.handmade import Handmade, make_images
from tests.canary import Canary
from tests.conftest import ROOT
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.targets.nomad.server import NomadServer
from tests.targets.postgres.server import PostgresServer

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def handmade(free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handmade]:
    make_images()
    made = Handmade(tmp_path_factory.mktemp("by-hand"), free_port)
    made.write()
    try:
        made.up()
        made.fill()
        yield made
    finally:
        made.down()


class Agent:
    """The commands as a person gives them, with all that they print."""

    def __init__(self, directory: Path) -> None:
        self.repository = directory / "config"
        self.state = directory / "state"
        self.said: list[str] = []

    def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        command = [ROOT / ".venv/bin/gitops-agent", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        self.said += [done.stdout, done.stderr]
        return done.returncode, done.stdout + done.stderr

    def adopt(self, *more: str | Path) -> tuple[int, str]:
        return self("adopt", self.repository, "--state", self.state, *more)

    def apply(self) -> dict[str, Any]:
        status, said = self("apply", "--config", self.repository / "agent/agent.toml", "--json")
        assert status in (0, 3), said
        found: dict[str, Any] = json.loads(said)
        return found

    def commit(self, message: str) -> None:
        begin = [] if (self.repository / ".git").exists() else [["init", "-q", "-b", "main"]]
        for command in (*begin, ["add", "."], ["commit", "-q", "-m", message]):
            subprocess.run(["git", "-C", str(self.repository), *command], check=True)


@pytest.fixture
def agent(tmp_path: Path, canary: Canary, handmade: Handmade) -> Agent:
    return _watched(Agent(tmp_path), canary, handmade)


class Takeover(NamedTuple):
    """What `adopt --json` said, and what was seen before it."""

    agent: Agent
    said: dict[str, Any]
    seen: dict[str, Any]
    keys: dict[str, int]
    jobs: Any
    written: int
    """Transactions of PostgreSQL that wrote something."""


@pytest.fixture(scope="module")
def once(handmade: Handmade, nomad: NomadServer, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Takeover:
    """Taken over, and applied twice."""
    agent = Agent(tmp_path_factory.mktemp("agent"))
    seen, keys, jobs, written = handmade.seen(), handmade.indexes(), nomad.call("GET", "jobs"), postgres.writes()
    tokens = _tokens(agent.repository.parent, handmade, nomad)
    status, said = agent.adopt(*tokens, *_login(agent.repository.parent, postgres), "--json")
    assert status == 0, said
    assert handmade.seen() == seen
    agent.commit("As it was")
    assert {change["action"] for plan in agent.apply()["plans"] for change in plan["changes"]} == {"adopt"}
    assert handmade.seen() == seen
    assert agent.apply()["plans"] == []
    return Takeover(agent, json.loads(said), seen, keys, jobs, written)


@pytest.fixture
def settled(once: Takeover, canary: Canary, handmade: Handmade) -> Agent:
    return _watched(once.agent, canary, handmade)


def _watched(agent: Agent, canary: Canary, handmade: Handmade) -> Agent:
    """No secret is printed, or in the repository."""
    for value in handmade.secrets:
        canary.secret(value)
    canary.watch(lambda: "\n".join(agent.said), name="what the commands print")
    canary.watch(agent.repository)
    return agent


@pytest.fixture(scope="module")
def nomad(handmade: Handmade) -> Iterator[NomadServer]:
    """With one job that was submitted with its source, and one that nobody knows where it came from; a variable in a namespace."""
    with FakeNomad() as fake:
        server = NomadServer(fake.url, MANAGEMENT)
        hcl = 'job "web" {\n  group "web" {\n    task "web" {\n      driver = "docker"\n    }\n  }\n}\n'
        source = {"Source": hcl, "Format": "hcl2", "Variables": ""}
        server.call("POST", "jobs", {"Job": server.parse(hcl), "Submission": source})
        server.register(server.parse(hcl.replace("web", "forgotten")))
        server.call("PUT", "namespace", {"Name": "batch"})
        variable = {"Path": "app/db", "Namespace": "batch", "Items": {"db_password": handmade.password, "port": "5432"}}
        server.call("PUT", "var/app/db", variable, namespace="batch")
        yield server


@pytest.fixture(scope="module")
def postgres(binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[PostgresServer]:
    server = PostgresServer(binary("initdb"), free_port)
    server.do("CREATE ROLE shop LOGIN PASSWORD 'shop-of-tests'", "CREATE DATABASE shop OWNER shop")
    yield server
    server.stop()


def _login(directory: Path, postgres: PostgresServer) -> list[str | Path]:
    (directory / "postgres-password").write_text("superuser-of-tests\n")
    where = f"postgres=postgres://127.0.0.1:{postgres.port}"
    return ["--address", where, "--postgres-user", "root_of_tests", "--postgres-password", directory / "postgres-password"]


def _tokens(directory: Path, handmade: Handmade, nomad: NomadServer) -> list[str | Path]:
    """Options for all systems."""
    said: list[str | Path] = ["--project", handmade.project, "--address", f"nomad={nomad.url}"]
    for system, token in (("consul", handmade.token), ("vault", handmade.root), ("nomad", nomad.management)):
        file = directory / f"{system}-token"
        file.write_text(f"{token}\n")
        said += [f"--{system}-token", file]
    return said


def test_nothing_is_touched(
    settled: Agent, once: Takeover, handmade: Handmade, nomad: NomadServer, postgres: PostgresServer
) -> None:
    assert (handmade.seen(), handmade.indexes(), nomad.call("GET", "jobs")) == (once.seen, once.keys, once.jobs)
    assert postgres.writes() == once.written
    assert settled("check", settled.repository)[0] == 0
    assert {path.name for path in settled.repository.iterdir() if path.is_dir() and path.name != ".git"} == {
        *("agent", "values", "compose", "nginx", "consul-template", "consul-server", "vault-server", "prometheus"),
        *("consul", "consul-shop", "vault", "nomad", "nomad-batch", "postgres"),
    }


def test_what_was_not_taken_is_told(settled: Agent, once: Takeover, handmade: Handmade) -> None:
    found = once.said["left"].items()
    left = {why: {one["what"].removeprefix(f"{handmade.directory}/") for one in things} for why, things in found}
    assert {"notes.txt", "consul/server.json.bak", "nginx/sites-old/blog.conf"} <= left["unmounted"]
    assert {"app/uploads", "nginx/upstreams", "nginx/upstreams/app.conf", "token for a day"} <= left["written"]
    assert {"job forgotten", "entries of secret/"} <= left["system"]
    readme = (settled.repository / "README.md").read_text()
    assert "job forgotten" in readme
    assert "notes.txt" in readme


def test_secrets_lie_where_the_agent_finds_them(settled: Agent, handmade: Handmade) -> None:
    secrets = {path.name: path.read_text() for path in (settled.state / "secrets").iterdir()}
    assert {*secrets.values()} == handmade.secrets
    assert {path.stat().st_mode & 0o777 for path in (settled.state / "secrets").iterdir()} == {0o600}
    shared = [path for path in settled.repository.rglob("*.j2") if "file:consul-http-token" in path.read_text()]
    assert len(shared) == 4, "one name for one value: server.json, .env, docker-compose.yml and prometheus.yml"


def test_a_directory_that_holds_something_is_refused(agent: Agent) -> None:
    agent.repository.mkdir()
    (agent.repository / "mine.txt").write_text("mine")
    assert agent.adopt() == (2, f"error: {agent.repository} is not empty\n")


def test_a_push_changes_one_thing(settled: Agent, handmade: Handmade) -> None:
    before = handmade.seen()
    page = settled.repository / "nginx/nginx.conf"
    page.write_text(page.read_text().replace("first", "second"))
    settled.commit("Say something else")
    changes = [
        (plan["target"], change["action"], change["name"]) for plan in settled.apply()["plans"] for change in plan["changes"]
    ]
    assert changes == [("nginx", "update", "nginx.conf")]
    assert handmade.page() == "second"
    after = handmade.seen()
    assert after["containers"] == before["containers"]
    changed = {path for path, file in after["files"].items() if file != before["files"][path]}
    assert changed == {str(handmade.directory / "nginx/nginx.conf")}
    inodes = {seen["files"][path][0] for seen in (before, after) for path in changed}
    assert len(inodes) == 1, "the container mounts that very file"


def test_images_are_pinned_when_it_is_wished(settled: Agent, handmade: Handmade) -> None:
    handmade.tag("app", "1.4.2")
    before = handmade.seen()["containers"]
    status, said = settled("adopt", settled.repository, "--list-migrations")
    assert status == 0, said
    assert "app: gitops-agent-test/handmade-app:latest → gitops-agent-test/handmade-app:1.4.2" in said
    assert settled("adopt", settled.repository, "--migrate", "pin-images")[0] == 0
    assert settled.apply()["plans"] == [], "nothing is committed yet"
    settled.commit("Pin images")
    (plan,) = settled.apply()["plans"]
    assert [change["name"] for change in plan["changes"]] == ["service:app"]
    after = handmade.seen()["containers"]
    assert {name for name, found in after.items() if found != before[name]} == {"app-1"}
    assert handmade.image("app") == "gitops-agent-test/handmade-app:1.4.2"


def test_directories_are_mounted_when_it_is_wished(settled: Agent, handmade: Handmade) -> None:
    before = handmade.seen()["containers"]
    status, said = settled("adopt", settled.repository, "--migrate", "directory-mounts")
    assert status == 0, said
    assert "by hand first: nginx: /etc/nginx holds" in said
    settled.commit("Mount directories")
    settled.apply()
    after = handmade.seen()["containers"]
    assert {name for name, found in after.items() if found != before[name]} == {"prometheus-1", "consul-template-1", "nginx-1"}
    handmade.wait("prometheus", "-/ready")
    rule = settled.repository / "prometheus/alerts.yml"
    rule.write_text(rule.read_text().replace("Down", "Gone"))
    settled.commit("Rename an alert")
    (plan,) = settled.apply()["plans"]
    assert [(change["action"], change["name"]) for change in plan["changes"]] == [("update", "alerts.yml")]


def test_each_program_gets_a_token_of_its_own_step_by_step(settled: Agent, handmade: Handmade) -> None:
    def step(*expected: str) -> None:
        status, said = settled("adopt", settled.repository, "--migrate", "token-per-consumer")
        assert status == 0, said
        assert all(words in said for words in expected), said

    step("consul-template: a policy, and a token", "prometheus: a policy, and a token", "by hand first: app: nobody but you knows")
    step("Consul does not know its token yet")
    settled.commit("Issue tokens")
    before = handmade.seen()["containers"]
    assert [(change["action"], change["name"]) for plan in settled.apply()["plans"] for change in plan["changes"]] == [
        *(("create", f"{kind}:{name}") for kind in ("policy", "token") for name in ("consul-template", "prometheus")),
    ]
    assert handmade.seen()["containers"] == before
    for name in ("consul-template", "prometheus"):
        before = handmade.seen()["containers"]
        step(f"{name}: has its own token in")
        settled.commit(f"{name} has its own token")
        settled.apply()
        after = handmade.seen()["containers"]
        assert {one for one, found in after.items() if found != before[one]} == {f"{name}-1"}
        own = (settled.state / "secrets" / f"{name}-consul-token").read_text()
        assert handmade.environment(name)["CONSUL_HTTP_TOKEN"] == own != handmade.token
    handmade.wait("prometheus", "-/ready")
    step("by hand first: app")
