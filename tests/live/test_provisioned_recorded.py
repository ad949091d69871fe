"""Records what Promtail, Loki and Grafana answer: PROMTAIL_RECORD, LOKI_RECORD and GRAFANA_RECORD name the version that runs.

Where each is comes from PROMTAIL_LIVE and so on (its address), and PROMTAIL_FILES: the file that Promtail was started with, or
Grafana's directory of provisioning files, with a provider of `dashboards` in it. GRAFANA_PASSWORD is that of `admin`.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.live.recorder import Recorder
from tests.provisioned import SCENES

pytestmark = pytest.mark.live
Put = Callable[[str, str | None], None]


@pytest.mark.parametrize("kind", SCENES)
def test_what_the_real_one_answers(kind: str) -> None:
    address, version = os.environ.get(f"{kind.upper()}_LIVE"), os.environ.get(f"{kind.upper()}_RECORD")
    if not address or not version:
        pytest.skip(f"{kind.upper()}_LIVE and {kind.upper()}_RECORD name no {kind}")
    files = Path(os.environ.get(f"{kind.upper()}_FILES", os.devnull))
    recorder = Recorder(address)
    put = _as_promtail(files) if kind == "promtail" else _as_grafana(files)
    for step in SCENES[kind]:
        step.ask(recorder.url, put, os.environ.get("GRAFANA_PASSWORD", ""))
    recorder.close()
    recorder.save(ROOT / f"tests/recorded/{kind}-{version}/scene.json", version=version, token="", name=kind.capitalize())


def _as_promtail(config: Path) -> Put:
    first = config.read_text()

    def put(_name: str, content: str | None) -> None:
        stages = {"changed": "[{docker: {}}]", "unusable": "[{foo: {}}]"}[content or ""]
        config.write_text(first.replace("- job_name:", f"- pipeline_stages: {stages}\n  job_name:"))

    return put


def _as_grafana(directory: Path) -> Put:
    moment = itertools.count(int(time.time()))

    def put(name: str, content: str | None) -> None:
        if content is None:
            (directory / name).unlink()
        else:
            (directory / name).write_text(content)
            os.utime(directory / name, times=(at := next(moment), at))  # Grafana 7.5 takes what is of the same second for the same

    return put
