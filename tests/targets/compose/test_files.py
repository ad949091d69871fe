"""What Compose itself does not see: the content of the files that a service reads."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_agent import secret
from gitops_agent.secret import Secret
from tests.conformance.converge import CANARY
from tests.conformance.subject import KEY, REFERENCE
from tests.targets.compose.stack import Stack, folder, reasons, service

pytestmark = [pytest.mark.server, pytest.mark.slow]

_MOUNTED = "volumes: ['./conf:/conf:ro']"


@pytest.fixture
def stack(tmp_path: Path, project: str) -> Iterator[Stack]:
    with closing(Stack(tmp_path, project)) as made:
        yield made


def test_a_changed_file_makes_the_container_anew(stack: Stack) -> None:
    """Failure mode 24: Compose keeps the container."""
    services = {"web": service(_MOUNTED), "other": service()}
    stack.apply(folder(services, conf__app_conf=b"red"))
    before = stack.ids()
    plan = stack.apply(folder(services, conf__app_conf=b"blue"))
    assert reasons(plan)["service:web"] == "conf/app.conf changed: recreate"
    after = stack.ids()
    assert after["web-1"][0] != before["web-1"][0]
    assert after["other-1"] == before["other-1"]
    assert stack.inside("web-1", "cat", "/conf/app.conf") == "blue"
    assert not stack.plan(folder(services, conf__app_conf=b"blue"))


def test_a_declared_reload_runs_in_the_container_that_goes_on(stack: Stack) -> None:
    behaviour = "x-gitops: {on_change: {'conf/*': {exec: [sh, -c, 'cat /conf/app.conf > /loaded']}}}"
    services = {"web": service(f"{_MOUNTED}, {behaviour}")}
    stack.apply(folder(services, conf__app_conf=b"red"))
    before = stack.ids()
    plan = stack.apply(folder(services, conf__app_conf=b"blue"))
    assert reasons(plan)["service:web"] == "conf/app.conf changed: reload"
    assert stack.ids() == before
    assert stack.inside("web-1", "cat", "/loaded") == "blue"
    assert not stack.plan(folder(services, conf__app_conf=b"blue"))


def test_a_reload_that_fails_is_tried_again(stack: Stack) -> None:
    behaviour = "x-gitops: {on_change: {'conf/*': {exec: [sh, -c, 'test -e /may-reload']}}}"
    services = {"web": service(f"{_MOUNTED}, {behaviour}")}
    stack.apply(folder(services, conf__app_conf=b"red"))
    with pytest.raises(Exception, match=r"sh in .*web-1 exited with 1"):
        stack.apply(folder(services, conf__app_conf=b"blue"))
    assert "service:web" in reasons(stack.plan(folder(services, conf__app_conf=b"blue")))
    stack.inside("web-1", "touch", "/may-reload")
    stack.apply(folder(services, conf__app_conf=b"blue"))
    assert not stack.plan(folder(services, conf__app_conf=b"blue"))


def test_ignored_and_restarting_files(stack: Stack) -> None:
    behaviour = "x-gitops: {on_change: {'conf/seed.conf': ignore, 'conf/*': restart}}"
    services = {"web": service(f"{_MOUNTED}, {behaviour}")}
    stack.apply(folder(services, conf__app_conf=b"red", conf__seed_conf=b"1"))
    before = stack.ids()
    plan = stack.apply(folder(services, conf__app_conf=b"red", conf__seed_conf=b"2"))
    assert [*reasons(plan)] == ["file:conf/seed.conf"]
    assert stack.ids() == before
    stack.apply(folder(services, conf__app_conf=b"blue", conf__seed_conf=b"2"))
    (identity, started) = stack.ids()["web-1"]
    assert identity == before["web-1"][0]
    assert started != before["web-1"][1]


def test_configs_and_secrets_are_seen_with_and_without_a_file(stack: Stack) -> None:
    """Failure mode 24: a changed inline `configs.content` keeps the old content in a kept container."""
    services = {"web": service("configs: [inline], secrets: [key]")}

    def at(inline: str, key: bytes) -> dict[str, bytes]:
        more = f"configs: {{inline: {{content: '{inline}'}}}}\nsecrets: {{key: {{file: ./key}}}}\n"
        return {**folder(services, more), "key": key}

    stack.apply(at("one", b"first"))
    assert reasons(stack.apply(at("two", b"first")))["service:web"] == "configs.inline changed: recreate"
    assert stack.inside("web-1", "cat", "/inline") == "two"
    assert reasons(stack.apply(at("two", b"second")))["service:web"] == "key changed: recreate"
    assert stack.inside("web-1", "cat", "/run/secrets/key") == "second"


def test_a_changed_env_file_makes_the_container_anew(stack: Stack) -> None:
    services = {"web": service("env_file: [web.conf]")}
    stack.apply(folder(services, web_conf=b"A=1\n"))
    assert reasons(stack.apply(folder(services, web_conf=b"A=2\n")))["service:web"] == "what its definition refers to changed"
    assert stack.inside("web-1", "sh", "-c", "echo $A") == "2"
    assert not stack.plan(folder(services, web_conf=b"A=2\n"))


def test_an_adopted_service_has_read_what_lies_there(stack: Stack) -> None:
    """Adopting restarts nothing; what differs from what lay there is a change like any other."""
    services = {"web": service(_MOUNTED)}
    files = folder(services, conf__app_conf=b"red")
    stack.apply(files)
    before = stack.ids()
    (stack.place / ".gitops-agent/project.json").unlink()
    (stack.place / ".gitops-agent/record.json").unlink()
    stack.applied = None
    assert {change.action for change in stack.apply(files)} == {"adopt"}
    assert stack.ids() == before
    assert reasons(stack.apply(folder(services, conf__app_conf=b"blue")))["service:web"] == "conf/app.conf changed: recreate"


def test_secrets_are_in_no_file_that_others_can_read(stack: Stack, tmp_path: Path) -> None:
    """Failure mode 59: not in the caches and records either."""
    hidden = secret.placeholder(Secret(REFERENCE), KEY)
    files = folder({"web": service(f"environment: {{PASSWORD: '{hidden}'}}, {_MOUNTED}")}, conf__key_conf=hidden.encode())
    stack.apply(files)
    assert stack.inside("web-1", "sh", "-c", "echo $PASSWORD") == CANARY
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert {path.relative_to(stack.place).as_posix() for path in holding} == {"compose.yaml", "conf/key.conf"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in holding} == {0o600}
