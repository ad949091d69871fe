"""The commands that ask the running agent."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Cli
from tests.cli.world import World, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def served(world: World) -> World:
    """The agent runs, and has applied the first commit."""
    world.serve()
    eventually(lambda: world.published("index.html") == "one\n")
    return world


def test_status(here: Cli, served: World) -> None:
    eventually(lambda: "success" in here("status").out)
    ended = here("status")
    assert ended.status == 0, ended.err
    assert "Change pages/index.html" in ended.out
    assert "✓  pages" in ended.out
    (environment,) = json.loads(here("status", "--json").out)
    assert environment["last_applied_revision"]["subject"] == "Change pages/index.html"
    assert here("status", "nowhere").err == "error: no such environment\n"


def test_sync_waits_for_the_outcome(here: Cli, served: World) -> None:
    sha = served.push({"pages/index.html": "two\n"})
    ended = here("sync")
    assert ended.status == 0, ended.err
    assert served.published("index.html") == "two\n"
    assert sha[:10] in ended.out
    assert json.loads(here("sync", "live", "--no-wait", "--json").out) == {"queued": ["live"]}


def test_sync_says_what_failed(here: Cli, served: World) -> None:
    served.push({"pages/bad.j2": "{{ nothing }}"})
    ended = here("sync")
    assert ended.status == 1
    assert "pages/bad.j2:1: 'nothing' is undefined" in ended.out
    assert here("status").status == 1


def test_sync_when_the_source_is_away(here: Cli, served: World) -> None:
    """Failure mode: the source is down. What is known of it is applied whole, and it is said that there may be more."""
    served.bare.rename(served.bare.with_suffix(".gone"))
    (served.pages / "current/index.html").write_text("by hand\n")
    ended = here("sync")
    assert ended.status == 1
    assert "✗ source  cannot fetch main" in ended.out
    assert served.published("index.html") == "one\n"


def test_suspend_and_resume(here: Cli, served: World) -> None:
    assert here("suspend", "--why", "moving house").status == 0
    assert "suspended moving house" in here("status").out
    refused = here("sync")
    assert (refused.status, "moving house" in refused.err) == (1, True)
    assert here("resume").out == "✓ live  resumed\n"
    assert here("sync").status == 0


def test_runs_and_show(here: Cli, served: World) -> None:
    served.push({"pages/index.html": "two\n"})
    assert here("sync").status == 0
    listed = json.loads(here("runs", "--json").out)
    assert len(listed) >= 2
    newest = next(run for run in listed if run["revision"]["sha"] == served.head)
    text = here("runs").out
    assert newest["id"] in text
    assert "sync" in text
    shown = here("show", newest["id"])
    assert "~ update index.html" in shown.out
    assert "-one" in shown.out
    assert "+two" in shown.out
    assert "-one" not in here("show", newest["id"], "--no-diffs").out
    assert json.loads(here("show", newest["id"], "--json").out)["plans"][0]["target"] == "pages"
    assert here("show").status == 0
    assert here("show", "20200101-000000-abcdef").err.startswith("error: no such run")


def test_from_elsewhere(here: Cli, served: World) -> None:
    """Another host has no agent.toml: address and token are enough."""
    token = served.path / "state/token"
    served.toml.rename(served.toml.with_suffix(".away"))
    environment = {"GITOPS_AGENT_URL": served.url, "GITOPS_AGENT_TOKEN_FILE": str(token)}
    assert here("status", env=environment).status == 0
    wrong = served.path / "wrong"
    wrong.write_text("no-token-of-this-agent\n")
    refused = here("status", env={**environment, "GITOPS_AGENT_TOKEN_FILE": str(wrong)})
    assert refused.status == 1
    assert "no-token" not in refused.err


def test_no_agent(here: Cli, world: World) -> None:
    ended = here("status")
    assert (ended.status, "has it been started yet?" in ended.err) == (2, True)
    (world.path / "state").mkdir(exist_ok=True)
    (world.path / "state/token").write_text("some-token-of-the-agent")
    ended = here("status")
    assert (ended.status, "connection refused" in ended.err) == (1, True)


def test_doctor(here: Cli, world: World) -> None:
    before = sorted(world.path.rglob("*"))
    ended = here("doctor")
    assert (ended.status, ended.err) == (0, "")
    assert "Change pages/index.html" in ended.out
    assert "is not running" in ended.out
    assert sorted(world.path.rglob("*")) == before, "it left something behind"
    world.push({"pages/bad.j2": "{{ nothing }}"})
    found = {finding["what"]: finding for finding in json.loads(here("doctor", "--json").out) if finding["environment"] == "live"}
    assert [found[what]["ok"] for what in ("source", "newest commit", "pages")] == [True, False, True]


def test_doctor_repairs_what_it_may(cli: Cli, world: World) -> None:
    """Only with --fix, and only what is agreed to; --yes agrees."""
    token = world.path / "token-of-the-bot"
    token.write_text("a-token-of-the-bot")
    token.chmod(0o644)
    world.configure(token_file=f'"{token}"', notify_file='"/nowhere/notify"')
    ended = cli("doctor")
    assert ended.status == 1
    assert f"✗ token_file                      {token} can be read by everybody\n      → chmod 600 {token}" in ended.out
    assert "✗ notify_file" in ended.out
    assert ended.out.endswith(
        f"✗ {ended.out.count(' ✗ ') + ended.out.count(' ✓ ')} looks: {ended.out.count(' ✓ ')} well, 2 wrong\n"
    )
    refused = cli("doctor", "--fix", stdin="n\n")
    assert (refused.status, f"chmod 600 {token}? [y/N]" in refused.err, token.stat().st_mode & 0o777) == (1, True, 0o644)
    assert "1 wrong" in cli("doctor", "--fix", "--yes").out
    assert token.stat().st_mode & 0o777 == 0o600


def test_doctor_sees_the_running_agent(here: Cli, served: World) -> None:
    ended = here("doctor")
    assert ended.status == 0, ended.out
    assert "is running and ready" in ended.out
