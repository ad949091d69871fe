"""What is particular to nginx in a container: its mounts, its network, its being there at all."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from gitops_agent.errors import ConfigError, InvalidRevision, Unavailable
from gitops_agent.model import Files, HealthStatus
from tests.conformance.converge import converge, plan
from tests.targets.nginx.contained import Contained, ContainedInPlace, ContainedSwitch, build_image
from tests.targets.nginx.subject import MAIN, NginxSubject, site

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", autouse=True)
def _image(binary: Callable[[str], str]) -> None:
    build_image(binary("busybox"))


def _serving(subject: ContainedInPlace | ContainedSwitch) -> Iterator[Any]:
    with subject.contained.supervised():
        converge(subject.target(), subject.first)
        subject.ask("a.test")
        yield subject
        subject.close()


@pytest.fixture
def in_place(tmp_path: Path) -> Iterator[ContainedInPlace]:
    yield from _serving(ContainedInPlace(tmp_path))


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[ContainedSwitch]:
    yield from _serving(ContainedSwitch(tmp_path))


def broken(files: Files) -> Files:
    return {**files, "conf.d/b.conf": b"server {\n  foo bar;\n}\n"}


def test_a_mistake_has_the_repositorys_file_not_the_containers(in_place: ContainedInPlace, switch: ContainedSwitch) -> None:
    for subject in (in_place, switch):
        with pytest.raises(InvalidRevision) as raised:
            plan(subject.target(), broken(subject.first), applied=subject.first)
        assert str(raised.value) == 'conf.d/b.conf:2: unknown directive "foo"'


def test_the_check_leaves_no_container_behind(switch: ContainedSwitch) -> None:
    with pytest.raises(InvalidRevision):
        plan(switch.target(), broken(switch.first), applied=switch.first)
    client = docker.from_env()
    try:
        assert client.containers.list(all=True, filters={"label": f"gitops-agent.check={switch.contained.name}"}) == []
    finally:
        client.close()


def test_what_a_program_writes_beside_the_links_is_there_for_the_check(switch: ContainedSwitch) -> None:
    """consul-template's upstreams, mounted with the directory above the links."""
    includes = MAIN.replace("include conf.d/", "include /etc/nginx/site/upstreams/app.conf;\ninclude conf.d/").encode()
    files = {**switch.first, "nginx.conf": includes}
    with pytest.raises(InvalidRevision, match=r'nginx\.conf:\d+: open\(\) "/etc/nginx/site/upstreams/app\.conf" failed'):
        plan(switch.target(), files, applied=switch.first)
    (switch.published / "upstreams").mkdir()
    (switch.published / "upstreams/app.conf").write_bytes(b"upstream app { server 127.0.0.1:9; }\n")
    converge(switch.target(), files, applied=switch.first)
    assert switch.ask("a.test").status == 200


def test_names_resolve_as_in_the_containers_network(tmp_path: Path) -> None:
    """`nginx -t` resolves upstreams; a name that only the Compose network knows must be found, one that nobody knows is nobody's
    mistake: it may be about to start."""
    client = docker.from_env()
    network = client.networks.create(f"gitops-agent-test-{uuid.uuid4().hex[:8]}")
    try:
        subject = ContainedSwitch(tmp_path)
        peer = Contained(f"{network.name}-peer", "/none", tmp_path, [], network_mode=network.name)
        mounts = [f"{subject.published}:/etc/nginx/site:ro"]
        config = "/etc/nginx/site/current/nginx.conf"
        contained = Contained(subject.contained.name, config, subject.live / "nginx.conf", mounts, network_mode=network.name)
        with peer.supervised(), contained.supervised():
            peer.running()
            target = subject.target()
            converge(target, subject.first)
            contained.running()
            converge(target, upstream(subject, f"{network.name}-peer"), applied=subject.first)
            with pytest.raises(Unavailable, match=r'host not found in upstream "gone:80" in conf\.d/c\.conf:1'):
                plan(target, upstream(subject, "gone"), applied=subject.first)
            subject.close()
    finally:
        network.remove()
        client.close()


def upstream(subject: NginxSubject, name: str) -> Files:
    return {**subject.first, "conf.d/c.conf": f"upstream c {{ server {name}:80; }}\n".encode()}


def test_a_container_that_is_not_there_yet_finds_its_files(tmp_path: Path) -> None:
    """On an empty host the files come first: Docker makes a directory of a mounted file that is missing."""
    subject = ContainedInPlace(tmp_path)
    target = subject.target()
    converge(target, subject.first)
    health = target.health()
    assert health.status is HealthStatus.HEALTHY
    assert "does not exist yet" in health.reason
    assert not plan(target, subject.first, applied=subject.first)
    with subject.contained.supervised():
        assert subject.ask("a.test").body == b"a1"
        assert not plan(target, subject.first, applied=subject.first)
    subject.close()


def test_a_container_that_is_down_gets_its_files(in_place: ContainedInPlace) -> None:
    target = in_place.target()
    with in_place.contained.down():
        converge(target, in_place.second, applied=in_place.first)
        assert target.health().status is HealthStatus.PROGRESSING
    assert in_place.ask("a.test").body == b"a2"


def test_a_directory_that_the_container_does_not_mount_is_a_mistake(switch: ContainedSwitch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mounts nothing of"):
        plan(switch.target(directory=str(tmp_path / "elsewhere")), switch.first)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_docker_away_stops_changes_and_nothing_else(switch: ContainedSwitch) -> None:
    """Failure mode 46: nothing is asked of Docker when nothing changed."""
    away = switch.target(docker="unix:///no/such/docker.sock")
    assert not plan(away, switch.first, applied=switch.first)
    with pytest.raises(Unavailable, match="docker"):
        plan(away, {**switch.first, "conf.d/c.conf": site("c.test", "c1")}, applied=switch.first)
    gc.collect()  # the SDK leaves a socket that it could not connect to the garbage collector
