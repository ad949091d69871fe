"""What a real Nomad answered whose ACLs had not begun, asked of the fake that has lost its data: it says the same."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ROOT
from tests.fakes.nomad import FakeNomad
from tests.targets.nomad.test_recorded import compare

RECORDED = sorted((ROOT / "tests/recorded").glob("nomad-*/acl-anew.json"))
_LOST, _CHOSEN = "11111111-aaaa-bbbb-cccc-000000000001", "11111111-aaaa-bbbb-cccc-000000000002"
_NUMBER = re.compile("[0-9]+")
_TOKEN = {"Name": "t-recorded", "Type": "management"}

SCENE: list[tuple[str, str, Any, str]] = [
    ("GET", "acl/token/self", None, ""),
    ("GET", "acl/token/self", None, _LOST),
    ("POST", "acl/token", _TOKEN, _LOST),
    ("POST", "acl/bootstrap", {"BootstrapSecret": "no-uuid"}, ""),
    ("POST", "acl/bootstrap", {"BootstrapSecret": _CHOSEN}, ""),
    ("POST", "acl/bootstrap", {"BootstrapSecret": _CHOSEN}, ""),
    ("GET", "acl/token/self", None, _CHOSEN),
    ("GET", "acl/token/self", None, _LOST),
    ("POST", "acl/token", _TOKEN, ""),
    ("POST", "acl/token", _TOKEN, _CHOSEN),
    ("GET", "acl/policies", None, _CHOSEN),
]
"""Method, path, body and token; the tokens are nobody's."""


def play(url: str) -> list[dict[str, Any]]:
    """Asks everything in order."""
    exchanges = []
    for method, path, body, token in SCENE:
        answer = requests.request(method, f"{url}/v1/{path}", json=body, headers={"X-Nomad-Token": token}, timeout=30)
        said: Any = answer.json() if answer.ok else answer.text
        if isinstance(said, dict):
            said.pop("AccessorID", None)
            if said.get("SecretID") != _CHOSEN:
                said.pop("SecretID", None)
        request = {"method": method, "path": path, "json": body, "token": token}
        exchanges.append({"request": request, "response": {"status": answer.status_code, "said": said}})
    return exchanges


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_the_fake_answers_like_the_real_one(path: Path) -> None:
    with FakeNomad() as fake:
        fake.lose()
        ours = play(fake.url)
    for mine, real in zip(ours, json.loads(path.read_text())["exchanges"], strict=True):
        where = f"{real['request']['method']} {real['request']['path']} with {real['request']['token'] or 'no token'}"
        assert mine["request"] == real["request"], f"{where}: record anew"
        assert mine["response"]["status"] == real["response"]["status"], f"{where}: {mine['response']}"
        if isinstance(mine["response"]["said"], str):
            assert _NUMBER.sub("N", mine["response"]["said"]) == _NUMBER.sub("N", real["response"]["said"]), where
        else:
            compare(mine["response"]["said"], real["response"]["said"], where)


def test_there_is_a_recording() -> None:
    assert [path.parent.name for path in RECORDED] == ["nomad-2.0.5"]


@pytest.mark.live
def test_record() -> None:
    """Writes down what a real one says whose ACLs have not begun, and which tells nobody its version yet."""
    if "NOMAD_LIVE_ANEW" not in os.environ:
        pytest.skip("needs NOMAD_LIVE_ANEW and NOMAD_VERSION")
    version = os.environ["NOMAD_VERSION"]
    lines = ",\n".join(json.dumps(exchange, ensure_ascii=False) for exchange in play(os.environ["NOMAD_LIVE_ANEW"]))
    path = ROOT / f"tests/recorded/nomad-{version}/acl-anew.json"
    path.write_text(f'{{"server": "Nomad {version}", "exchanges": [\n{lines}\n]}}\n')
