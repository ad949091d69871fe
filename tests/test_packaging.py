"""What people install: the Dockerfile's build steps run without Docker, the program works from that wheel, the unit is sound."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import pytest
import yaml

from gitops_agent import __version__
from tests.conftest import ROOT

_UNIT = ROOT / "packaging/gitops-agent.service"


@dataclass(frozen=True)
class Step:
    stage: str
    instruction: str
    words: str


def _steps() -> list[Step]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    steps, stage = [], ""
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, words = line.split(maxsplit=1)
        if instruction == "FROM":
            stage = words.partition(" AS ")[2]
        steps.append(Step(stage, instruction, words))
    return steps


def _copied(stage: str) -> list[tuple[str, list[str]]]:
    """Per COPY: the stage it copies from, and its sources."""
    copies = [step.words.split() for step in _steps() if (step.stage, step.instruction) == (stage, "COPY")]
    return [(words[0].removeprefix("--from="), words[1:-1]) if words[0].startswith("--") else ("", words[:-1]) for words in copies]


def _ignored(name: str) -> bool:
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    result = False
    for pattern in patterns:
        if fnmatch(name, pattern.removeprefix("!")):
            result = not pattern.startswith("!")
    return result


def test_every_stage_that_is_copied_from_exists() -> None:
    stages = {step.stage for step in _steps()}
    assert {origin for stage in stages for origin, _ in _copied(stage)} - {""} <= stages
    assert {"agent", "checkers"} <= stages


def test_everything_that_is_copied_is_there_and_sent_to_the_builder() -> None:
    sources = [source for origin, names in _copied("build") if not origin for source in names]
    assert "gitops_agent" in sources
    assert [name for name in sources if not (ROOT / name).exists() or _ignored(name)] == []
    assert _ignored(".venv")


def test_checkers_are_the_versions_that_the_stack_runs() -> None:
    images = yaml.safe_load((ROOT / "repo-template/values/common.yaml").read_text())["images"]
    named = dict(step.words.split("=", 1) for step in _steps() if step.instruction == "ARG")
    for name in ("consul", "consul-template", "prometheus", "loki", "nginx"):
        assert named[name.upper().replace("-", "_")] == images[name]
    assert images["agent"] == f"gitops-agent:{__version__}"
    assert images["checkers"] == f"gitops-agent-checkers:{__version__}"


def test_the_unit_is_understood_by_systemd(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    unit = tmp_path / _UNIT.name
    unit.write_text(_UNIT.read_text().replace("/opt/gitops-agent/bin/gitops-agent", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if _UNIT.name in line] == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The virtual environment that the Dockerfile's `build` stage makes, with the files that it copies and no others."""
    place = tmp_path_factory.mktemp("image")
    source, opt = place / "src", place / "opt"
    source.mkdir()
    subprocess.run([sys.executable, "-m", "venv", place / "python"], check=True)
    environment = {**os.environ, "PATH": f"{place}/python/bin:{os.environ['PATH']}", "PIP_NO_COMPILE": "1"}
    for step in _steps():
        if step.stage != "build":
            continue
        if step.instruction == "COPY":
            *names, _ = step.words.split()
            for name in names:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / name, source)
        elif step.instruction == "RUN":
            command = step.words.replace("/opt/gitops-agent", str(opt))
            done = subprocess.run(["sh", "-c", command], cwd=source, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
    shutil.rmtree(source)  # nothing may be found beside the wheel
    return opt / "bin/gitops-agent"


def _run(program: Path, at: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], cwd=at, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_program_works_from_the_image_s_wheel(installed: Path, tmp_path: Path) -> None:
    run = partial(_run, installed, tmp_path)
    assert run("--version") == f"gitops-agent {__version__}\n"
    run("init", "config", "--domain", "mini.test")
    assert (tmp_path / "config/.gitignore").exists()
    assert "mini-cloud/compose" in run("check", "config")
    subprocess.run(["git", "init", "--quiet", tmp_path / "config"], check=True)
    run("hooks", "install", "config")
    there = {path.name for path in installed.parent.parent.glob("lib/python3*/site-packages/*.dist-info")}
    assert not {name for name in there if name.startswith(("pip-", "pytest-", "nginx"))}, "more than the agent needs"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_validates_works_from_bytecode_alone(installed: Path, tmp_path: Path) -> None:
    """As in the image `checkers`, whose files are half as many for it."""
    shutil.copytree(installed.parent.parent, tmp_path / "opt", symlinks=True)
    (command,) = (step.words for step in _steps() if step.stage == "checking" and "compileall" in step.words)
    command = command.replace("/usr/local/lib/python3*", "").replace("/opt/gitops-agent", str(tmp_path / "opt"))
    assert "/usr" not in command, "it deletes"
    environment = {**os.environ, "PATH": f"{tmp_path}/opt/bin:{os.environ['PATH']}"}
    subprocess.run(["sh", "-ec", command], env=environment, check=True)
    assert not [*(tmp_path / "opt/lib").rglob("*.py")]
    program = tmp_path / "opt/bin/gitops-agent"
    program.write_text(program.read_text().replace(str(installed.parent), str(program.parent)))
    said = _run(program, tmp_path, "init", "config", "--domain", "mini.test") and _run(program, tmp_path, "check", "config")
    assert "mini-cloud/compose" in said
