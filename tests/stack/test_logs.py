"""Loki and Promtail of the stack: who said it stays with every line, and both programs take their files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack import rendered

_LABELS = {"container", "service", "project", "stream"}


def _promtail(read: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(rendered.folder("promtail", f"promtail: {{read: {read}}}")["promtail.yaml"])
    return loaded


def test_lines_read_through_the_socket_say_whose_they_are() -> None:
    (job,) = _promtail("socket")["scrape_configs"]
    assert {rule["target_label"] for rule in job["relabel_configs"]} == _LABELS | {"job"}
    assert job["docker_sd_configs"][0]["host"] == "unix:///var/run/docker.sock"


def test_lines_read_from_files_say_whose_they_are() -> None:
    (job,) = _promtail("files")["scrape_configs"]
    (labels,) = [stage["labels"] for stage in job["pipeline_stages"] if "labels" in stage]
    assert {*labels} == _LABELS
    assert job["static_configs"][0]["labels"]["__path__"] == "/var/lib/docker/containers/*/*-json.log"


def test_lines_are_pushed_to_loki_and_end_after_their_time() -> None:
    assert _promtail("socket")["clients"] == [{"url": "http://loki:3100/loki/api/v1/push"}]
    loki = yaml.safe_load(rendered.folder("loki", "retention: {logs: 48h}")["loki.yaml"])
    assert loki["limits_config"]["retention_period"] == "48h"
    assert loki["compactor"]["retention_enabled"]
    assert loki["compactor"]["delete_request_store"] == "filesystem"  # without it Loki refuses to start


@pytest.mark.live
@pytest.mark.skipif("LOKI_BIN" not in os.environ, reason="LOKI_BIN names no Loki")
def test_loki_takes_its_configuration(tmp_path: Path) -> None:
    directory = rendered.write(rendered.folder("loki"), tmp_path)
    subprocess.run([os.environ["LOKI_BIN"], f"-config.file={directory}/loki.yaml", "-verify-config"], check=True)


@pytest.mark.live
@pytest.mark.skipif("PROMTAIL_BIN" not in os.environ, reason="PROMTAIL_BIN names no Promtail")
@pytest.mark.parametrize("read", ["socket", "files"])
def test_promtail_takes_its_configuration(tmp_path: Path, read: str) -> None:
    directory = rendered.write(rendered.folder("promtail", f"promtail: {{read: {read}}}"), tmp_path)
    subprocess.run([os.environ["PROMTAIL_BIN"], f"-config.file={directory}/promtail.yaml", "-check-syntax"], check=True)
