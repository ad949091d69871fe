"""What needs no engine: behaviours, versions, paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.container.members import member, seconds
from gitops_agent.container.shapes import Mount
from gitops_agent.errors import ConfigError, InvalidRevision
from gitops_agent.targets.compose import own
from gitops_agent.targets.compose.behaviour import Behaviour, Command
from gitops_agent.targets.compose.review import is_older


@pytest.mark.parametrize(
    ("image", "than", "older"),
    [
        ("gitea:1.25.9", "gitea:1.26.0", True),
        ("gitea:1.26.10", "gitea:1.26.9", False),
        ("registry:5000/db:15", "registry:5000/db:16.2-alpine", True),
        ("db:16", "db:16@sha256:aa", True),
        ("other:17", "db:16", True),
        ("db:latest", "db:16", True),
        ("db:16", "", False),
    ],
)
def test_what_cannot_be_told_to_be_newer_is_older(image: str, than: str, older: bool) -> None:
    assert is_older(image, than) is older


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"on_change": {"*": "dance"}}, r"x-gitops: on_change\.\* must be recreate"),
        ({"on_change": {"*": {"exec": []}}}, "must be {exec"),
        ({"hold": "yes"}, r"x-gitops\.hold"),
        ({"holds": True}, r"x-gitops\.holds"),
        ({"before_stop": {"exec": ["a"], "signal": "HUP"}}, r"x-gitops\.before_stop"),
        ({"before_stop": {"signal": "rm -rf"}}, r"x-gitops\.before_stop\.signal"),
    ],
)
def test_a_behaviour_that_is_not_known_is_refused(behaviour: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRevision, match=message):
        Behaviour.of({"x-gitops": behaviour})


def test_the_strongest_reaction_counts_and_equal_commands_run_once() -> None:
    on_change = {"./a/*": {"signal": "HUP"}, "b": "restart", "c": "ignore"}
    behaviour = Behaviour.of({"x-gitops": {"on_change": on_change}})
    assert behaviour.on_changes(["c"]).how == "ignore"
    assert behaviour.on_changes(["a/1", "a/2", "c"]).commands == (Command(signal="HUP"),)
    assert behaviour.on_changes(["a/1", "b"]).how == "restart"
    assert behaviour.on_changes(["a/1", "b", "undeclared"]).how == "recreate"


def test_the_agents_container_is_read_from_its_mounts(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"640 1 254:1 /var/lib/docker/containers/{'ab' * 32}/hostname /etc/hostname rw - ext4 /dev/vda1 rw\n")
    assert own.container(mountinfo) == "ab" * 32
    mountinfo.write_text(f"641 1 0:55 / /var/lib/docker/containers/{'ab' * 32}/mounts/shm rw - tmpfs shm rw\n")
    assert own.container(mountinfo) == ""
    mountinfo.write_text("21 1 0:20 / /proc rw - proc proc rw\n")
    assert own.container(mountinfo) == ""
    assert own.container(tmp_path / "nothing") == ""


def test_the_directory_has_to_be_the_same_on_the_host() -> None:
    own.check_path(Path("/srv/stack"), [Mount("/srv", "/srv")])
    with pytest.raises(ConfigError, match="is /data/stack on the host"):
        own.check_path(Path("/srv/stack"), [Mount("/srv", "/srv"), Mount("/data/stack", "/srv/stack")])
    with pytest.raises(ConfigError, match="exists only in the agent's container"):
        own.check_path(Path("/srv/stack"), [Mount("srv", "/srv", "volume")])


@pytest.mark.parametrize(
    ("status", "code", "health", "young"),
    [
        ("Up Less than a second", 0, "", True),
        ("Up 3 seconds (health: starting)", 0, "starting", True),
        ("Up 2 hours (unhealthy)", 0, "unhealthy", False),
        ("Exited (137) 3 seconds ago", 137, "", False),
        ("Restarting (1) Less than a second ago", 1, "", False),
        ("Created", 0, "", False),
    ],
)
def test_a_status_is_understood(status: str, code: int, health: str, young: bool) -> None:
    listed = {"Id": "a", "Names": ["/a"], "Labels": {}, "Status": status, "State": "", "ImageID": "", "Mounts": []}
    found = member(listed)
    assert (found.code, found.health, found.young) == (code, health, young)


def test_times_of_docker_are_understood() -> None:
    assert seconds("1970-01-01T00:00:01.5Z") == 1.5
    assert seconds("1970-01-01T00:00:02.123456789Z") == 2.123456
    assert seconds("1970-01-01T00:00:03Z") == 3
    assert seconds("0001-01-01T00:00:00Z") == 0
