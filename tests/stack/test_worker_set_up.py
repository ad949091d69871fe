"""`worker/set-up` on a machine of its own: a container with an empty root and this host's programs, run again and again.

What needs a booted system or the network is a script there that writes down how it was called: systemctl, podman, dnf, pip.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, here  # noqa: F401 -- a fixture
from tests.targets.compose.engine import docker

pytestmark = [pytest.mark.slow, pytest.mark.server]
IMAGE = "gitops-agent-test/usr"
_WRITES_DOWN = '#!/bin/bash\necho "${0##*/} $*" >>/calls\n'
_PROGRAMS = {
    "podman": _WRITES_DOWN,
    "update-ca-trust": _WRITES_DOWN,
    "systemctl": _WRITES_DOWN,
    # The first question whether the network is trusted is answered with no.
    "firewall-cmd": _WRITES_DOWN + 'case "$*" in *query*) [ -e /trusted ] ;; *add*) touch /trusted ;; esac\n',
    "git": _WRITES_DOWN,
    "python3": _WRITES_DOWN
    + 'case "$*" in *"venv --clear"*) install -d "$4/bin" && cp "$0" "$4/bin/pip" && cp "$0" "$4/bin/gitops-agent" ;; esac\n',
}


class Machine:
    def __init__(self, directory: Path, rendered: Path) -> None:
        self._name = f"gitops-agent-test-{uuid.uuid4().hex[:8]}"
        self.given = directory / "given"
        shutil.copytree(rendered / "worker", self.given)
        for name in ("ca.pem", "git-token", "registry-token", "nomad-client-consul-token", "nomad-program"):
            (self.given / name).write_text(f"{name} of tests\n")
        (self.given / "gitops_agent-0.1.0-py3-none-any.whl").write_text("a wheel")
        (directory / "programs").mkdir()
        for name, text in _PROGRAMS.items():
            (directory / "programs" / name).write_text(text)
            (directory / "programs" / name).chmod(0o755)
        mounts = ["/usr:/usr:ro", f"{self.given}:/given:ro", f"{directory}/programs:/programs:ro"]
        options = [f"--volume={mount}" for mount in mounts] + ["--tmpfs=/usr/local", "--env=PATH=/programs:/usr/bin"]
        docker("run", "--detach", f"--name={self._name}", "--network=none", *options, IMAGE, "/usr/bin/sleep", "600")

    def remove(self) -> None:
        docker("rm", "--force", self._name)

    def run(self, *command: str) -> str:
        return docker("exec", self._name, *command)

    def set_up(self) -> tuple[list[str], set[str]]:
        """What it said, and what it called."""
        self.run("bash", "-c", ": >/calls")
        said = self.run("bash", "/given/set-up", "/given").splitlines()
        return [line.removeprefix("worker: ") for line in said], {*self.run("cat", "/calls").splitlines()}


@pytest.fixture(scope="module", autouse=True)
def _image() -> None:
    """Nothing but the links into /usr."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("bin", "sbin", "lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(link)
        for name in ("usr", "tmp", "etc/pki/ca-trust"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(directory)
    docker("import", "-", IMAGE, stdin=packed.getvalue())


@pytest.fixture
def machine(tmp_path: Path, here: Cli) -> Iterator[Machine]:  # noqa: F811
    assert here("init", tmp_path / "config", "--domain", "mini.test").status == 0
    ended = here("render", tmp_path / "config", "--only", "worker/*", "--output", tmp_path / "rendered")
    assert ended.status == 0, ended.err
    made = Machine(tmp_path, tmp_path / "rendered")
    yield made
    made.remove()


def test_a_worker_is_set_up_once_and_then_only_what_differs(machine: Machine) -> None:
    said, called = machine.set_up()
    assert said[-1].startswith("done")
    assert "/usr/local/bin/nomad" in said
    assert {"systemctl enable --quiet --now podman.socket", "systemctl restart gitops-agent.service"} <= called
    assert any("pip install" in call for call in called)
    assert "firewalld trusts 192.168.64.0/24" in said
    said, called = machine.set_up()
    assert [line for line in said if not line.startswith("done")] == [], "the second time changes nothing"
    assert not {call for call in called if "restart" in call or "pip install" in call or "update-ca" in call}
    (machine.given / "nomad-program").write_text("a newer nomad\n")
    said, called = machine.set_up()
    assert said[:-1] == ["/usr/local/bin/nomad"]
    assert {call for call in called if "restart" in call} == {"systemctl try-restart nomad.service"}


def test_what_is_secret_on_a_worker_is_closed_and_gitea_s_registry_is_logged_in_to(machine: Machine) -> None:
    machine.set_up()
    secret = (
        "/etc/mini-cloud/git-token",
        "/etc/mini-cloud/registry-auth.json",
        "/var/lib/gitops-agent/secrets/nomad-client-consul-token",
    )
    assert machine.run("stat", "--format=%a", *secret).split() == ["600"] * 3
    logins = json.loads(machine.run("cat", "/etc/mini-cloud/registry-auth.json"))["auths"]
    assert base64.b64decode(logins["git.mini.test"]["auth"]) == b"gitops-agent:registry-token of tests"
    hosts = machine.run("cat", "/etc/hosts").splitlines()
    assert [line for line in hosts if "mini.test" in line] == [
        f"192.168.64.1\t{name}.mini.test" for name in ("git", "consul", "vault")
    ]
    machine.set_up()
    assert machine.run("cat", "/etc/hosts").splitlines() == hosts
