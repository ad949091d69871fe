"""Records what the doctor asks and hears: GITEA_LIVE, NOMAD_LIVE, CONCOURSE_LIVE, LOKI_LIVE, PROMTAIL_LIVE are addresses, and
DOCTOR_RECORD names version and state, such as `nomad-2.0.5/worker-gone`: whoever sets it has brought the system into that state.

GITEA_TOKEN, NOMAD_TOKEN and CONCOURSE_LOGIN (name:password) let the doctor in.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.doctor.recorded import LOOKS, METRICS
from tests.live.recorder import Recorder

pytestmark = pytest.mark.live


def test_what_the_doctor_hears(tmp_path: Path) -> None:
    record = os.environ.get("DOCTOR_RECORD", "")
    system = record.partition("-")[0]
    address = os.environ.get(f"{system.upper()}_LIVE", "")
    if not address:
        pytest.skip("DOCTOR_RECORD and the address of that system say nothing")
    secret = os.environ.get(f"{system.upper()}_TOKEN") or os.environ.get(f"{system.upper()}_LOGIN", "")
    recorder = Recorder(address, METRICS)
    findings = [*LOOKS[system](recorder.url, tmp_path, secret)]
    recorder.close()
    assert findings
    for exchange in recorder.exchanges:
        if isinstance(answer := exchange["response"].get("json"), dict) and "access_token" in answer:
            answer |= {"access_token": "a-token", "id_token": "another"}
    version = record.partition("/")[0].partition("-")[2]
    file = ROOT / f"tests/recorded/doctor/{record}.json"
    recorder.save(file, version=version, token="", name=system.capitalize())
    if secret:
        file.write_text(file.read_text().replace(secret.rpartition(":")[2], "a-token"))
