"""What is for other machines: a worker's Nomad and set-up, the Mac's Colima and routes. Parsed by what reads it."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from gitops_agent.settings.load import read
from tests.cli.conftest import Cli, here  # noqa: F401 -- a fixture
from tests.stack.rendered import ROOT


@pytest.fixture
def rendered(tmp_path: Path, here: Cli) -> Path:  # noqa: F811
    """worker/ and host/ of what `init` writes, with the references as they are."""
    assert here("init", tmp_path / "config", "--domain", "mini.test").status == 0
    ended = here("render", tmp_path / "config", "--only", "worker/*", "--only", "host/*", "--output", tmp_path / "rendered")
    assert ended.status == 0, ended.err
    return tmp_path / "rendered"


@pytest.mark.parametrize("script", ["worker/set-up", "host/routes"])
def test_scripts_are_understood(script: str, rendered: Path) -> None:
    assert subprocess.run(["bash", "-n", rendered / script], check=False).returncode == 0
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", rendered / script], capture_output=True, text=True, check=False)
        assert done.stdout == ""


def test_a_worker_s_agent_publishes_nomad_s_configuration_and_nothing_else(rendered: Path) -> None:
    text = (rendered / "worker/agent.toml").read_text()
    (target,) = read(text, Path("agent.toml")).environments["mini-cloud"].targets
    assert (target.kind, target.folder) == ("files", "worker/nomad")
    directory = tomllib.loads(text)["environments"]["mini-cloud"]["targets"][0]["directory"]
    assert f"{directory}/current/client.hcl" in (rendered / "worker/nomad.service").read_text()
    assert [path.name for path in (rendered / "worker/nomad").iterdir()] == ["client.hcl"]


def test_a_worker_s_check_sees_its_target(rendered: Path, here: Cli, tmp_path: Path) -> None:  # noqa: F811
    ended = here("check", tmp_path / "config", "--config", rendered / "worker/agent.toml")
    assert (ended.status, ended.out.strip()) == (0, "✓ mini-cloud/worker (files)  1 resource")


def test_nomad_takes_a_worker_s_configuration(rendered: Path) -> None:
    nomad = os.environ.get("NOMAD_BIN") or shutil.which("nomad")
    if not nomad:
        pytest.skip("no nomad")
    done = subprocess.run(
        [nomad, "config", "validate", rendered / "worker/nomad/client.hcl"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_consul_asks_a_worker_where_it_says_it_is(rendered: Path) -> None:
    """Otherwise the check of its HTTP API goes to the address that it is bound to: to Consul's own machine."""
    text = (rendered / "worker/nomad/client.hcl").read_text()
    assert re.search(r"^  checks_use_advertise = true$", text, re.MULTILINE)


def test_cloud_init_s_user_data(rendered: Path) -> None:
    text = (rendered / "worker/user-data").read_text()
    assert text.startswith("#cloud-config\n")
    data = yaml.safe_load(text)
    assert "podman" in data["packages"]
    assert all(isinstance(word, str) for command in data["runcmd"] for word in command)
    assert all(file["path"].startswith("/etc/") for file in data["write_files"])


def test_cloud_init_takes_it(rendered: Path) -> None:
    """Where it is installed; its schema knows every key."""
    if shutil.which("cloud-init"):
        done = subprocess.run(
            ["cloud-init", "schema", "--config-file", rendered / "worker/user-data"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_takes_the_units(rendered: Path, tmp_path: Path) -> None:
    """Where it is installed; programs that are not here are replaced by one that is everywhere."""
    if shutil.which("systemd-analyze"):
        for name in ("nomad.service", "gitops-agent.service"):
            lines = (rendered / "worker" / name).read_text().splitlines()
            unit = [f"ExecStart=/bin/true {line.partition(' ')[2]}" if line.startswith("ExecStart=") else line for line in lines]
            (tmp_path / name).write_text("\n".join(unit))
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", tmp_path / name], capture_output=True, text=True, check=False
            )
            told = [line for line in done.stderr.splitlines() if name in line]
            assert told == []


def test_the_unit_on_a_worker_is_the_packaged_one() -> None:
    assert (ROOT / "stack/worker/gitops-agent.service").read_text() == (ROOT / "packaging/gitops-agent.service").read_text()


def test_the_mac_s_files(rendered: Path) -> None:
    plist = plistlib.loads((rendered / "host/mini-cloud.routes.plist").read_bytes())
    assert plist["RunAtLoad"] is True
    assert plist["ProgramArguments"][-1].endswith("/routes")
    colima = yaml.safe_load((rendered / "host/colima.yaml").read_text())
    assert colima["network"]["address"] is True
    assert colima["mounts"][0]["location"] == "/srv/mini-cloud"
    assert "192.168.64.0/24" in colima["provision"][0]["script"]
