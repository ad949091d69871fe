"""The Docker SDK's owner, on a real engine."""

from __future__ import annotations

import gc
import io
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from gitops_agent import secret
from gitops_agent.container.engine import Engine
from gitops_agent.container.events import events
from gitops_agent.container.shapes import Container, Mount
from gitops_agent.errors import CommandFailed, ConfigError, Unavailable

pytestmark = pytest.mark.server
IMAGE = "gitops-agent-test/shell"


@pytest.fixture(scope="module", autouse=True)
def _image(binary: Callable[[str], str]) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(Path(binary("busybox")).resolve(), "bin/busybox")
        for applet in ("sh", "sleep", "cat", "echo", "id"):
            member = tarfile.TarInfo(f"bin/{applet}")
            member.type, member.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(member)
    client = docker.from_env()
    try:
        client.api.import_image_from_data(archive.getvalue(), repository=IMAGE, tag="1", changes=["ENV PATH=/bin"])
    finally:
        client.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(timeout=30)
    yield engine
    engine.close()


@pytest.fixture
def name(tmp_path: Path) -> Iterator[str]:
    """A running container, labelled as Compose would."""
    name = f"gitops-agent-test-{uuid.uuid4().hex[:8]}"
    start(name, f"--volume={tmp_path}:/data:ro", "--env=COLOUR=blue", "--user=7")
    yield name
    subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)


def start(name: str, *options: str, project: str = "") -> None:
    labels = [
        f"com.docker.compose.project={project or name}",
        "com.docker.compose.service=shell",
        "com.docker.compose.oneoff=False",
    ]
    command = ["docker", "run", "--detach", f"--name={name}", *(f"--label={label}" for label in labels), *options]
    subprocess.run([*command, f"{IMAGE}:1", "sleep", "600"], check=True, capture_output=True)


@pytest.fixture
def container(engine: Engine, name: str) -> Container:
    found = engine.find(name)
    assert found is not None
    return found


def test_found_by_name_or_as_compose_knows_it(engine: Engine, name: str, tmp_path: Path) -> None:
    found = engine.find(name)
    assert found == engine.find(f"{name}/shell")
    assert found is not None
    assert (found.name, found.running, found.user) == (name, True, "7")
    assert found.mounts == (Mount(str(tmp_path), "/data"),)
    assert engine.find(f"{name}/other") is None
    assert engine.find(name[:-1]) is None, "a part of a name, or of an ID, names nothing"
    assert engine.find(found.id[:12]) is None


def test_several_containers_are_a_question_for_the_operator(engine: Engine, name: str) -> None:
    start(f"{name}-2", project=name)
    try:
        with pytest.raises(ConfigError, match="is 2 containers"):
            engine.find(f"{name}/shell")
    finally:
        subprocess.run(["docker", "rm", "--force", f"{name}-2"], check=True, capture_output=True)


def test_a_command_gives_status_and_masked_output(engine: Engine, container: Container) -> None:
    secret.remember("the-canary-value")
    done = engine.execute(container, ["sh", "-c", "echo the-canary-value; echo said >&2; exit 3"], timeout=10)
    assert done.status == 3
    assert sorted(done.output.split()) == ["(sensitive)", "said"]


def test_much_output_comes_whole(engine: Engine, container: Container) -> None:
    done = engine.execute(container, ["sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done"], timeout=30)
    assert done.output == "0123456789\n" * 20000


@pytest.mark.parametrize("command", [["sleep", "60"], ["sh", "-c", "while :; do echo still here; sleep 0.1; done"]])
def test_a_command_that_does_not_end_is_left_in_time(engine: Engine, container: Container, command: list[str]) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match=r"did not end within 0\.5 s"):
        engine.execute(container, command, timeout=0.5)
    assert time.monotonic() - began < 5


def test_titles_of_processes(engine: Engine, container: Container) -> None:
    assert list(engine.titles(container).values()) == ["sleep 600"]


def test_logs_are_masked_and_begin_when_asked(engine: Engine, name: str) -> None:
    secret.remember("the-canary-value")
    talking = f"{name}-talking"
    run = ["docker", "run", f"--name={talking}", f"{IMAGE}:1", "sh", "-c", "echo the-canary-value"]
    subprocess.run(run, check=True, capture_output=True)
    try:
        found = engine.find(talking)
        assert found is not None
        assert engine.logs(found, time.time() - 60) == "(sensitive)\n"
        assert engine.logs(found, time.time() + 60) == ""
    finally:
        subprocess.run(["docker", "rm", talking], check=True, capture_output=True)


def test_a_check_is_like_its_container_but_for_the_mounts(engine: Engine, container: Container, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "file").write_text("staged")
    mounts = [Mount(str(staged), "/data")]
    done = engine.check(container, ["sh", "-c", "cat /data/file; echo -n $COLOUR; id -u; exit 4"], mounts, timeout=10)
    assert (done.status, done.output) == (4, "stagedblue7\n")
    assert leftovers(container) == []


def test_a_check_that_does_not_end_is_removed(engine: Engine, container: Container) -> None:
    with pytest.raises(CommandFailed, match="did not end within 1 s"):
        engine.check(container, ["sleep", "60"], [], timeout=1)
    assert leftovers(container) == []


def leftovers(container: Container) -> list[str]:
    listed = ["docker", "ps", "--all", "--quiet", f"--filter=label=gitops-agent.check={container.name}"]
    return subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()


def test_a_signal_arrives_and_what_is_gone_is_unavailable(engine: Engine, name: str, container: Container) -> None:
    engine.signal(container, "KILL")
    deadline = time.monotonic() + 60
    while (found := engine.find(name)) and found.running:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(Unavailable, match="is not running"):
        engine.execute(container, ["id"], timeout=5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_away() -> None:
    """Failure mode 46."""
    with pytest.raises(Unavailable, match="docker: connecting: no such file"):
        Engine("unix:///no/such/docker.sock").find("anything")
    gc.collect()  # the SDK leaves a socket that it could not connect to the garbage collector


def test_events_go_on_where_they_stopped(engine: Engine, name: str, container: Container) -> None:
    label = f"com.docker.compose.project={name}"
    heard = events([label])
    assert next(heard) is None, "listening"
    engine.signal(container, "KILL")
    first = next(event for event in heard if event is not None)
    heard.close()
    assert (first.action, first.id, first.labels["name"]) == ("kill", container.id, name)
    again = events([label], since=first.time)
    second = next(event for event in again if event is not None)
    again.close()
    assert second.action == "die"
