"""What a real Nomad answered, asked of the fake: it says the same, and nothing of its own invention."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ROOT
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.targets.nomad import folder
from tests.targets.nomad.server import NomadServer

Exchange = dict[str, Any]
RECORDED = sorted((ROOT / "tests/recorded").glob("nomad-*/jobs.json"))
_SAME = ("Type", "Name", "Old", "New", "ID", "Stop", "Periodic", "ParameterizedJob", "Path", "Items", "Namespace", "Count", "Env")
"""Where values have to be the same; elsewhere their type, and null may stand for either."""

_HCL = folder.service(LOUD="yes").decode()
_REPORT = folder.parameterized("report", FORMAT="pdf")
_CHANGED = folder.parameterized("report", FORMAT="html", PAPER="a4")
_RECORD = {"Path": "gitops-agent/recorded/nomad", "Items": {"owned": "job:report"}}
_PARSE = {"JobHCL": _HCL, "Variables": 'greeting = "Hello"\n', "Canonicalize": False}

_POLICY = {
    "Name": "t-recorded",
    "Description": "for one job",
    "Rules": 'namespace "default" {\n  policy = "read"\n}\n',
    "JobACL": {"Namespace": "default", "JobID": "web"},
}

SCENE: list[tuple[str, str, Any]] = [
    ("POST", "jobs/parse", _PARSE),
    ("POST", "jobs/parse", {**_PARSE, "JobHCL": _HCL.replace("count ", "cuont ")}),
    ("POST", "jobs/parse", {**_PARSE, "JobHCL": _HCL + "group {"}),
    ("POST", "jobs/parse", {**_PARSE, "Variables": ""}),
    ("GET", "job/report", None),
    ("POST", "job/report/plan", {"Job": _REPORT, "Diff": True}),
    ("POST", "jobs", {"Job": _REPORT, "EnforceIndex": True, "JobModifyIndex": 7}),
    ("POST", "jobs", {"Job": _REPORT, "EnforceIndex": True, "JobModifyIndex": 0}),
    ("POST", "jobs", {"Job": _REPORT, "EnforceIndex": True, "JobModifyIndex": 0}),
    ("POST", "jobs", {"Job": _CHANGED, "EnforceIndex": True, "JobModifyIndex": 1}),
    ("POST", "job/report/plan", {"Job": _REPORT, "Diff": True}),
    ("POST", "job/report/plan", {"Job": _CHANGED, "Diff": True}),
    ("POST", "job/report/plan", {"Job": {**_REPORT, "TaskGroups": []}, "Diff": True}),
    ("POST", "job/report/plan", {"Job": {**_REPORT, "Namespace": "none"}, "Diff": True}),
    ("GET", "jobs", None),
    ("DELETE", "job/report", None),
    ("GET", "jobs", None),
    ("POST", "job/report/plan", {"Job": _REPORT, "Diff": True}),
    ("DELETE", "job/nonesuch", None),
    ("GET", "var/gitops-agent/recorded/nomad", None),
    ("PUT", "var/gitops-agent/recorded/nomad?cas=7", _RECORD),
    ("PUT", "var/gitops-agent/recorded/nomad?cas=0", _RECORD),
    ("PUT", "var/gitops-agent/recorded/nomad?cas=0", _RECORD),
    ("GET", "var/gitops-agent/recorded/nomad", None),
    ("GET", "vars", None),
    ("DELETE", "var/gitops-agent/recorded/nomad?cas=7", None),
    ("DELETE", "var/gitops-agent/recorded/none?cas=7", None),
    ("DELETE", "var/gitops-agent/recorded/nomad", None),
    ("PUT", "namespace", {"Name": "t-recorded", "Meta": {"a": "b"}, "Capabilities": {"DisabledTaskDrivers": ["exec"]}}),
    ("GET", "namespace/t-recorded", None),
    ("GET", "namespace/t-none", None),
    ("GET", "namespaces", None),
    ("PUT", "jobs?namespace=t-recorded", {"Job": {**_REPORT, "Namespace": "t-recorded"}}),
    ("DELETE", "namespace/t-recorded", None),
    ("DELETE", "namespace/t-none", None),
    ("POST", "acl/policy/t-recorded", _POLICY),
    ("POST", "acl/policy/t-recorded", {**_POLICY, "Rules": 'namespac "default" {\n  policy = "read"\n}\n'}),
    ("GET", "acl/policy/t-recorded", None),
    ("GET", "acl/policy/t-none", None),
    ("GET", "acl/policies", None),
    ("POST", "acl/role", {"Name": "t-recorded", "Policies": [{"Name": "t-recorded"}]}),
    ("POST", "acl/role", {"Name": "t-recorded", "Policies": [{"Name": "t-recorded"}]}),
    ("POST", "acl/role", {"Name": "t-more", "Policies": [{"Name": "t-none"}]}),
    ("GET", "acl/role/name/t-recorded", None),
    ("GET", "acl/role/name/t-none", None),
    ("GET", "acl/roles", None),
    ("DELETE", "acl/role/00000000-0000-0000-0000-000000000000", None),
    ("DELETE", "acl/policy/t-recorded", None),
    ("DELETE", "acl/policy/t-recorded", None),
    ("GET", "acl/token/self", None),
]


def play(url: str, token: str) -> list[Exchange]:
    """Asks everything in order."""
    exchanges = []
    for method, path, body in SCENE:
        answer = requests.request(method, f"{url}/v1/{path}", json=body, headers={"X-Nomad-Token": token}, timeout=30)
        try:
            said: Exchange = {"json": _nobodys(answer.json()) if path.startswith("acl/") else answer.json()}
        except ValueError:
            said = {"text": answer.text}
        exchanges.append(
            {"request": {"method": method, "path": path, "json": body}, "response": {"status": answer.status_code, **said}}
        )
    return exchanges


def _nobodys(thing: Any) -> Any:
    """Without secrets, and without identities that a server draws by lot."""
    if isinstance(thing, list):
        return [_nobodys(one) for one in thing]
    return {name: value for name, value in thing.items() if name not in ("ID", "AccessorID", "SecretID")}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_the_fake_answers_like_the_real_one(path: Path) -> None:
    recorded = json.loads(path.read_text())["exchanges"]
    with FakeNomad() as fake:
        ours = play(fake.url, MANAGEMENT)
    for mine, real in zip(ours, recorded, strict=True):
        where = f"{real['request']['method']} {real['request']['path']}"
        assert mine["request"] == real["request"], f"{where}: record anew"
        assert mine["response"]["status"] == real["response"]["status"], f"{where}: {mine['response']}"
        assert _signs(mine["response"]) == _signs(real["response"]), where
        if "json" in mine["response"]:
            compare(mine["response"]["json"], real["response"].get("json"), where)


def _signs(response: Exchange) -> list[str]:
    """What the client looks for in a text."""
    signs = (
        "Enforcing job modify index",
        "Failed to parse job: input.hcl:",
        "error occurred:",
        "nonexistent namespace",
        "not found",
    )
    return [sign for sign in signs if sign in response.get("text", "")]


def compare(ours: Any, real: Any, where: str) -> None:
    """The fake says nothing that the real one does not say."""
    if isinstance(ours, dict):
        assert isinstance(real, dict), where
        assert ours.keys() <= real.keys(), f"{where}: {ours.keys() - real.keys()} is our invention"
        for name, value in ours.items():
            if name in _SAME and not isinstance(value, dict | list):
                assert value == real[name], f"{where}.{name}"
            elif value is not None and real[name] is not None:
                compare(value, real[name], f"{where}.{name}")
    elif isinstance(ours, list):
        assert isinstance(real, list), where
        theirs = {_name(thing, number): thing for number, thing in enumerate(real)}
        for number, thing in enumerate(ours):
            assert _name(thing, number) in theirs, f"{where}: {thing} is our invention"
            compare(thing, theirs[_name(thing, number)], where)
    else:
        assert isinstance(ours, type(real)), f"{where}: {ours!r}, {real!r}"


def _name(thing: Any, number: int) -> Any:
    """What tells the things of a list apart; the order of a plan's fields is Nomad's own."""
    return thing.get("Name", number) if isinstance(thing, dict) else number


def test_there_is_a_recording() -> None:
    assert [path.parent.name for path in RECORDED] == ["nomad-1.9.7", "nomad-2.0.5"]


@pytest.mark.live
def test_record() -> None:
    """Writes down what the real one says today, where nothing is written down for its version yet; else compares."""
    if "NOMAD_LIVE" not in os.environ:
        pytest.skip("needs NOMAD_LIVE and NOMAD_TOKEN")
    url, token = os.environ["NOMAD_LIVE"], os.environ["NOMAD_TOKEN"]
    headers = {"X-Nomad-Token": token}
    version = requests.get(f"{url}/v1/agent/self", headers=headers, timeout=10).json()["config"]["Version"]["Version"]
    NomadServer(url, token).empty()
    exchanges = play(url, token)
    NomadServer(url, token).empty()
    path = ROOT / f"tests/recorded/nomad-{version}/jobs.json"
    if path.exists():
        known = [exchange["response"]["status"] for exchange in json.loads(path.read_text())["exchanges"]]
        assert [exchange["response"]["status"] for exchange in exchanges] == known
        return
    path.parent.mkdir()
    lines = ",\n".join(json.dumps(exchange, ensure_ascii=False) for exchange in exchanges)
    path.write_text(f'{{"server": "Nomad {version}", "exchanges": [\n{lines}\n]}}\n')
