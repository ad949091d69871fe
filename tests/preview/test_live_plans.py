"""Plans against a real Consul, with a token that can only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.preview.proposing import Proposals
from tests.targets.consul.server import ConsulServer
from tests.worker.running import Running, eventually

pytestmark = pytest.mark.server
POLICIES = ROOT / "docs/targets"
SECRET = "value-of-the-secret-0815"


@pytest.fixture
def consul(binary: Callable[[str], str], tmp_path: Path, free_port: Callable[[], int]) -> Iterator[ConsulServer]:
    (tmp_path / "consul").mkdir()
    server = ConsulServer(binary("consul"), tmp_path / "consul", free_port)
    for name in ("consul-policy", "consul-policy-preview"):
        rules = (POLICIES / f"{name}.hcl").read_text().replace("mini-cloud", "test")
        (tmp_path / name).write_text(server.token(rules))
    yield server
    server.stop()


@pytest.fixture
def started(agent: Running, proposals: Proposals, consul: ConsulServer) -> Proposals:
    (agent.path / "state/secrets").mkdir(parents=True)
    (agent.path / "state/secrets/known").write_text(SECRET)
    agent.author.push({"consul/kv.yaml.j2": 'color: red\nsecret: {{ secret("file:known") }}\n', "pages/index.html": None})
    tokens = {"token_file": str(agent.path / "consul-policy"), "preview_token_file": str(agent.path / "consul-policy-preview")}
    more = {"drift": "report", "secrets": ["file:known"]}
    proposals.start(targets=agent.target("consul", "consul", address=consul.url, **tokens, **more))
    eventually(lambda: consul.keys("test/").keys() == {"test/color", "test/secret"})
    return proposals


def test_a_plan_of_what_is_there(started: Proposals, consul: ConsulServer) -> None:
    """Somebody has changed a key behind the agent's back, and the plan knows."""
    consul.put("test/color", "green, by hand")
    number, head = started.open({"consul/kv.yaml.j2": 'color: blue\nsecret: {{ secret("file:known") }}\nnew: key\n'})
    assert started.is_(head, "success") == "consul: 1 created, 1 updated"
    said = started.says(number, "| `consul` | 1 created, 1 updated | the live system |")
    assert "green, by hand" in said
    assert SECRET not in said
    assert consul.keys("test/")["test/color"][0] == b"green, by hand"


def test_what_a_run_changes_makes_a_new_plan(agent: Running, started: Proposals) -> None:
    """The branch's commit is applied after the plan was made that saw it: what was said of the live system is stale then."""
    number, head = started.open({"consul/other.md": "for people\n"})
    assert started.is_(head, "success") == "no changes"
    sha = agent.author.push({"consul/kv.yaml.j2": 'color: white\nsecret: {{ secret("file:known") }}\n'})
    agent.settled(sha)
    started.says(number, f"`{sha[:10]}`")
    eventually(lambda: "no changes" in started.comment(number) and "Stale" not in started.comment(number))


def test_secrets_are_compared_as_references(started: Proposals) -> None:
    number, head = started.open({"consul/kv.yaml.j2": 'color: red\nsecret: x-{{ secret("file:known") }}\n'})
    assert started.is_(head, "success") == "consul: 1 updated"
    assert SECRET not in started.says(number, "(sensitive)")
    told = started.branch({"consul/kv.yaml.j2": f"color: red\nsecret: {SECRET}\n"})
    started.is_(told, "success")
    started.says(number, f'(sensitive)" → "{SECRET}"'), "a guess is neither confirmed nor denied, though the agent knows the value"


def test_a_system_that_is_away(agent: Running, started: Proposals, consul: ConsulServer) -> None:
    """The comparison with the branch takes its place, and says why."""
    consul.stop()
    number, head = started.open({"consul/kv.yaml.j2": 'color: blue\nsecret: {{ secret("file:known") }}\n'})
    assert started.is_(head, "success") == "consul: 1 updated"
    said = started.says(number, "not compared with the live system: consul cannot be reached")
    assert "| `consul` | 1 updated | `main` |" in said
    assert "red" in said
