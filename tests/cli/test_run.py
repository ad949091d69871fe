"""`plan` and `apply`: one run by hand, with the exit status that says what came of it."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import Cli
from tests.cli.world import World, eventually

pytestmark = pytest.mark.slow

NOTHING, FAILED, WRONG, CHANGED = 0, 1, 2, 3


def test_plan_then_apply_then_nothing(cli: Cli, world: World) -> None:
    planned = cli("plan")
    assert planned.status == CHANGED, planned.err
    assert "pages: 1 created" in planned.out
    assert "+ create index.html  absent" in planned.out
    assert "+one" in planned.out
    assert world.published("index.html") is None
    applied = cli("apply")
    assert applied.status == CHANGED, applied.err
    assert world.published("index.html") == "one\n"
    assert "live success" in applied.out
    assert (cli("plan").status, cli("apply").status) == (NOTHING, NOTHING)


def test_json_is_for_programs(cli: Cli, world: World) -> None:
    plan = json.loads(cli("plan", "live", "--json").out)
    assert (plan["environment"], plan["plans"][0]["changes"][0]["name"], plan["errors"]) == ("live", "index.html", {})
    run = json.loads(cli("apply", "live", "--json").out)
    assert (run["outcome"], run["trigger"]) == ("success", "apply")
    assert [step["name"] for step in run["steps"]][:2] == ["read", "render"]


def test_shows_each_step(cli: Cli, world: World) -> None:
    lines = [line.split()[1:3] for line in cli("apply").out.splitlines() if line.startswith("✓")]
    assert lines[:4] == [["read", lines[0][1]], ["render", lines[1][1]], ["plan", "pages"], ["apply", "pages"]]


def test_a_mistake_of_the_author(cli: Cli, world: World) -> None:
    world.push({"pages/bad.html.j2": "{{ nothing }}\n"})
    for command in ("plan", "apply"):
        ended = cli(command)
        assert ended.status == FAILED
        assert "pages/bad.html.j2:1: 'nothing' is undefined" in ended.out + ended.err
    assert world.published("index.html") is None


def test_consent(cli: Cli, world: World) -> None:
    """Failure mode 14: a plan that deletes everything is refused until somebody consents to just this plan."""
    assert cli("apply").status == CHANGED
    world.push({"pages/index.html": None, "pages/.gitkeep": ""})
    world.configure(
        f'[[environments.live.targets]]\nkind = "files"\nname = "pages"\ndirectory = "{world.pages}"\nignore = [".gitkeep"]\n'
    )
    refused = cli("apply")
    assert refused.status == FAILED
    digest = refused.out.rpartition("--allow-deletes ")[2].split()[0]
    assert cli("apply", "--allow-deletes", "0" * 12).status == FAILED
    assert world.published("index.html") == "one\n"
    assert cli("apply", "--allow-deletes", digest).status == CHANGED
    assert world.published("index.html") is None


def test_from_a_local_clone(cli: Cli, world: World) -> None:
    """Failure mode 63: a host whose Gitea is gone, or not there yet, can still be mended."""
    world.push({"pages/index.html": "two\n"})
    world.bare.rename(world.bare.with_suffix(".gone"))
    ended = cli("plan")
    assert ended.status == FAILED
    assert "cannot" in ended.err
    assert cli("apply", "--from", world.repo).status == CHANGED
    assert world.published("index.html") == "two\n"


def test_keeps_away_from_a_running_agent(cli: Cli, world: World) -> None:
    """Failure mode: two agents on one environment."""
    assert cli("apply").status == CHANGED
    world.push({"pages/index.html": "two\n"})
    with (world.path / "state/live/lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = cli("apply")
        assert (refused.status, "runs live: `gitops-agent sync` asks it" in refused.err) == (FAILED, True)
        planned = cli("plan")
    assert planned.status == NOTHING, "only the agent fetches while it runs"
    assert "this is the newest revision it has fetched" in planned.out
    assert cli("plan").status == CHANGED


def test_ctrl_c_ends_between_two_changes(cli: Cli, world: World) -> None:
    """The change in hand is finished, the run ends superseded, and the next one goes on."""
    slow = '\nreload = ["sh", "-c", "touch {path}/reloading; while [ ! -e {path}/go ]; do sleep 0.01; done"]\n'.replace(
        "{path}", str(world.path)
    )
    target = '[[environments.live.targets]]\nkind = "files"\nname = "{name}"\ndirectory = "{directory}"\n'
    first = target.format(name="pages", directory=world.pages) + slow
    second = target.format(name="more", directory=world.path / "more")
    world.configure(first + second)
    world.push({"more/file": "1\n"})
    command = [sys.executable, "-m", "gitops_agent", "apply"]
    with subprocess.Popen(command, cwd=world.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        eventually((world.path / "reloading").exists)
        process.send_signal(signal.SIGINT)
        (world.path / "go").touch()
        out, _ = process.communicate(timeout=30)
    assert process.returncode == FAILED
    assert "superseded" in out
    assert world.published("index.html") == "one\n"
    assert not (world.path / "more/current").exists()
    assert cli("apply").status == CHANGED
    assert (world.path / "more/current/file").read_text() == "1\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[serve]\nlisen = 1\n", "agent.toml:2: serve.lisen: is not a setting; did you mean 'listen'?"),
        ("[environments.x]\nbranch = 'main'\n", "agent.toml:1: environments.x.source: is required"),
        ("[environments", "agent.toml: "),
        ("", "name the environment; there are none"),
    ],
)
def test_a_mistake_of_the_operator(cli: Cli, world: World, text: str, complaint: str) -> None:
    world.toml.write_text(text)
    ended = cli("plan")
    assert (ended.status, ended.out) == (WRONG, "")
    assert ended.err.startswith("error: ")
    assert complaint in ended.err
    assert "Traceback" not in ended.err
    assert "Traceback" in cli("plan", "--debug").err


def test_no_agent_toml(cli: Cli) -> None:
    ended = cli("plan")
    assert (ended.status, "there is no agent.toml or /etc/gitops-agent/agent.toml" in ended.err) == (WRONG, True)


def test_an_environment_that_is_not_there(cli: Cli, world: World) -> None:
    assert cli("plan", "prod").err == "error: there is no environment 'prod'; there is live\n"
