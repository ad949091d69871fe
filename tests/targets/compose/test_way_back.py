"""Back to what was before: `restore()` by itself, and `on_failure = "restore"` with what only goes forward."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed
from tests.targets.compose.engine import IMAGE, containers
from tests.targets.compose.stack import Stack, folder, service
from tests.worker.conftest import agent  # noqa: F401 -- the fixture
from tests.worker.running import REPOSITORY, Running, eventually

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def stack(tmp_path: Path, project: str) -> Iterator[Stack]:
    with closing(Stack(tmp_path, project)) as made:
        yield made


def images(project: str) -> dict[str, str]:
    return {name: found["Config"]["Image"].removeprefix(f"{IMAGE}:") for name, found in containers(project).items()}


def test_files_and_services_are_as_they_were(stack: Stack) -> None:
    mounted = "volumes: ['./conf:/conf:ro']"
    stack.apply(folder({"web": service(mounted), "same": service(), "gone": service()}, conf__app_conf=b"1", conf__old_conf=b"1"))
    secret = stack.place / "conf/app.conf"
    secret.chmod(0o600)
    before = stack.ids()
    changed = service(f"{mounted}, image: '{IMAGE}:2'")
    stack.apply(folder({"web": changed, "same": service(), "new": service()}, conf__app_conf=b"2", conf__new_conf=b"2"))
    assert images(stack.project) == {"web-1": "2", "same-1": "1", "new-1": "1"}
    assert stack.target.restore()
    assert images(stack.project) == {"web-1": "1", "same-1": "1", "gone-1": "1"}
    assert stack.ids()["same-1"] == before["same-1"], "what was not touched is not touched"
    assert {path.name: path.read_bytes() for path in (stack.place / "conf").iterdir()} == {"app.conf": b"1", "old.conf": b"1"}
    assert secret.stat().st_mode & 0o777 == 0o600, "a secret stays one"
    assert stack.inside("web-1", "cat", "/conf/app.conf") == "1"
    assert not stack.plan(
        folder({"web": service(mounted), "same": service(), "gone": service()}, conf__app_conf=b"1", conf__old_conf=b"1")
    )


def test_there_is_nothing_before_the_first_apply(stack: Stack) -> None:
    assert not stack.target.restore()
    stack.apply(folder({"web": service()}))
    assert not stack.target.restore()


def test_an_apply_that_failed_may_have_taken_the_data_forward(stack: Stack) -> None:
    forward = "x-gitops: {forward_only: true}"
    first = folder({"db": service(forward)})
    stack.apply(first)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = f"ports: ['127.0.0.1:{taken.getsockname()[1]}:80'], depends_on: [db]"
        with pytest.raises(ApplyFailed):
            stack.apply(folder({"db": service(f"{forward}, image: '{IMAGE}:2'"), "web": service(port)}))
    assert images(stack.project)["db-1"] == "2"
    (change,) = [change for change in stack.plan(first) if change.name == "service:db"]
    assert "1 is older (forward_only)" in change.destructive


def test_what_only_goes_forward_is_left_and_named(project: str, agent: Running) -> None:  # noqa: F811 -- agent ends first
    place = agent.path / "stack"
    target = agent.target("stack", kind="compose", directory=str(place), project=project, settle=0.3)
    agent.configure(targets=target, on_failure="restore", resync=1)

    def files(db: str, web: str) -> dict[str, str]:
        forward = service(f"image: '{IMAGE}:{db}', x-gitops: {{forward_only: true}}")
        made = folder({"db": forward, "web": service(web)})
        return {f"stack/{path}": content.decode() for path, content in made.items()}

    agent.start()
    good = agent.author.push(files("1", "labels: {a: '1'}"))
    agent.settled(good)
    bad = agent.author.push(files("2", "restart: always, command: ['false']"))
    agent.settled(bad, "failure")
    eventually(lambda: "brought back" in agent.gitea.statuses(REPOSITORY, bad, "gitops/test")[-1][1], timeout=60)
    said = agent.gitea.statuses(REPOSITORY, bad, "gitops/test")[-1][1]
    assert said.startswith(f"brought back {good[:10]}, but service:db is left as it is; ")
    assert images(project) == {"db-1": "2", "web-1": "1"}
    seen = len(agent.api("/runs")["runs"])
    eventually(lambda: agent.environment()["outcome"] == "failure")
    before = containers(project)
    eventually(lambda: agent.environment()["next_attempt"] is None)
    assert len(agent.api("/runs")["runs"]) == seen, "holding what was brought back asks nobody for consent"
    assert {name: found["Id"] for name, found in containers(project).items()} == {n: f["Id"] for n, f in before.items()}
    agent.settled(agent.author.push(files("2", "labels: {a: '2'}")))
    assert images(project) == {"db-1": "2", "web-1": "1"}
