"""What is declared, written as Concourse writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.targets.concourse.declared import declared
from gitops_agent.targets.concourse.written import sent, written
from tests.conftest import ROOT

EVERYTHING = (Path(__file__).parents[2] / "concourse/everything.yml").read_bytes()
RECORDED = sorted((ROOT / "tests/recorded").glob("concourse-*/scene.json"))


def config_of(content: bytes) -> Any:
    (resource,) = declared({"main/p.yml": content})
    return resource.spec["config"]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_it_is_what_the_real_one_made_of_it(path: Path) -> None:
    """Failure modes 19 to 22: every default, duration, size and parameter that Concourse writes anew."""
    exchanges = json.loads(path.read_text())["exchanges"]
    (answer,) = [e for e in exchanges if e["request"][0] == "GET" and "vars" in str(e["response"].get("json"))][:1]
    assert config_of(EVERYTHING) == written(answer["response"]["json"]["config"])


def test_twice_is_once() -> None:
    config = config_of(EVERYTHING)
    assert written(config) == config
    assert written(sent(config)) == config


@pytest.mark.parametrize(
    ("said", "kept"),
    [("90m", "1h30m0s"), ("1m", "1m0s"), ("45s", "45s"), ("1h0m30s", "1h0m30s"), ("1.5h", "1h30m0s"), ("36h", "36h0m0s")],
)
def test_durations(said: str, kept: str) -> None:
    made = written({"jobs": [{"name": "j"}], "resources": [{"name": "r", "type": "time", "check_every": said}]})
    assert made["resources"]["r"]["check_every"] == kept


@pytest.mark.parametrize("left", ["never", "", "soon", "500ms"])
def test_what_is_no_whole_duration_is_left(left: str) -> None:
    made = written({"jobs": [{"name": "j"}], "resources": [{"name": "r", "type": "time", "check_every": left}]})
    assert made["resources"]["r"]["check_every"] == left


@pytest.mark.parametrize(("said", "kept"), [("1GB", 1 << 30), ("10mb", 10 << 20), ("5KiB", 5120), ("100", 100), (7, 7)])
def test_sizes(said: object, kept: int) -> None:
    made = written({"jobs": [{"name": "j", "plan": [{"task": "t", "container_limits": {"memory": said}}]}]})
    assert made["jobs"]["j"]["plan"] == [{"task": "t", "container_limits": {"memory": kept}}]


def test_empty_values_inside_of_a_source_count() -> None:
    source = {"empty": "", "none": None, "off": False, "list": []}
    made = written({"jobs": [{"name": "j"}], "resources": [{"name": "r", "type": "git", "source": source}]})
    assert made["resources"]["r"]["source"] == source


def test_no_inputs_of_a_put_are_not_the_usual_ones() -> None:
    made = written({"jobs": [{"name": "j", "plan": [{"put": "r", "inputs": []}]}]})
    assert made["jobs"]["j"]["plan"] == [{"put": "r", "inputs": []}]


def test_what_is_not_known_here_is_left_as_it_stands() -> None:
    made = written({"jobs": [{"name": "j", "plan": [{"newfangled": {"a": 0}, "task": "t"}]}]})
    assert made["jobs"]["j"]["plan"] == [{"newfangled": {"a": 0}, "task": "t"}]
