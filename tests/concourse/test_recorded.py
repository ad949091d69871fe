"""What a real Concourse answered, asked of the fake: it says the same, and nothing of its own invention."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from gitops_agent.concourse import packed
from tests.concourse.conftest import IMAGE
from tests.conftest import ROOT
from tests.fakes.concourse import PASSWORD, USER, FakeConcourse

Exchange = dict[str, Any]
RECORDED = sorted((ROOT / "tests/recorded").glob("concourse-*/scene.json"))
_VERSION = "X-Concourse-Config-Version"
_EVERYTHING = (Path(__file__).parent / "everything.yml").read_text()
_SMALL = "jobs: [{name: a}]"
_PIPELINE = "teams/main/pipelines/recorded"
_SAME = (
    "name",
    "paused",
    "public",
    "archived",
    "team_name",
    "status",
    "config",
    "user_data",
    "errors",
    "error_description",
    "event",
)
"""Where values have to be the same; elsewhere their type."""


def _plan(*steps: Any) -> Any:
    return {"id": "1", "do": [{"id": str(number), **step} for number, step in enumerate(steps, start=2)]}


def _task(command: str, *inputs: str) -> Any:
    config = {"platform": "linux", "rootfs_uri": "IMAGE", "run": {"path": "sh", "args": ["-c", command]}}
    given = {"inputs": [{"name": name} for name in inputs]} if inputs else {}
    return {"task": {"name": "check", "config": {**config, **given}}}


_GIVEN = {"artifact_input": {"artifact_id": "ARTIFACT", "name": "config"}}


# method, path, body; `{seen}` in the third is the version that Concourse gave last.
SCENE: list[tuple[str, str, Any, dict[str, str]]] = [
    ("PUT", f"{_PIPELINE}/config", _EVERYTHING, {}),
    ("GET", f"{_PIPELINE}/config", None, {}),
    ("GET", _PIPELINE, None, {}),
    ("PUT", f"{_PIPELINE}/config", _SMALL, {}),
    ("PUT", f"{_PIPELINE}/config", _SMALL, {_VERSION: "999999"}),
    ("PUT", f"{_PIPELINE}/config", _SMALL, {_VERSION: "{seen}"}),
    ("GET", f"{_PIPELINE}/config", None, {}),
    ("PUT", f"{_PIPELINE}/config?vars=x", _EVERYTHING, {_VERSION: "{seen}"}),
    ("PUT", "teams/main/pipelines/not-there/config?vars=x", _EVERYTHING, {}),
    ("PUT", f"{_PIPELINE}/config?vars=x", "jobs: [{name: j, plan: [{get: t}]}]", {}),
    ("PUT", f"{_PIPELINE}/config?vars=x", "jobs: [{name: j, paln: []}]", {}),
    ("PUT", f"{_PIPELINE}/config?vars=x", "", {}),
    ("GET", "teams/main/pipelines/not-there", None, {}),
    ("PUT", f"{_PIPELINE}/config", _SMALL, {"Content-Type": "application/x-yaml; charset=utf-8"}),
    ("PUT", f"{_PIPELINE}/unpause", "", {}),
    ("PUT", f"{_PIPELINE}/expose", "", {}),
    ("GET", _PIPELINE, None, {}),
    ("PUT", f"{_PIPELINE}/hide", "", {}),
    ("PUT", "teams/main/pipelines/ordering", '["recorded"]', {"Content-Type": "application/json"}),
    ("PUT", "teams/main/pipelines/ordering", '["recorded", "not-there"]', {"Content-Type": "application/json"}),
    ("POST", f"{_PIPELINE}/builds", _plan(_task("echo hello; sleep 1; exit 3")), {}),
    ("GET", "builds/{build}", None, {}),
    ("GET", "builds/{build}/events", None, {}),
    ("PUT", "builds/{build}/abort", "", {}),
    ("POST", "teams/main/builds", _plan({"task": {"name": "t", "config": {"platform": "linux", "run": {"path": "true"}}}}), {}),
    ("GET", "builds/{build}", None, {}),
    ("POST", "teams/main/pipelines/not-there/builds", _plan(_task("true")), {}),
    ("POST", "teams/main/artifacts?platform=windows", {"packed": {"a": "hello"}}, {}),
    ("POST", "teams/main/artifacts?platform=linux", {"packed": {"a/b": "hello\n", "say": "#!/bin/sh\ncat $0/../a/b"}}, {}),
    ("POST", f"{_PIPELINE}/builds", _plan(_GIVEN, _task("cat config/a/b; test -x config/say", "config")), {}),
    ("GET", "builds/{build}", None, {}),
    ("GET", "builds/{build}/events", None, {}),
    ("PUT", f"{_PIPELINE}/archive", "", {}),
    ("GET", f"{_PIPELINE}/config", None, {}),
    ("GET", _PIPELINE, None, {}),
    ("PUT", f"{_PIPELINE}/config", _SMALL, {}),
    ("GET", _PIPELINE, None, {}),
    ("DELETE", _PIPELINE, None, {}),
    ("PUT", f"{_PIPELINE}/unpause", "", {}),
]


def play(url: str, user: str, password: str) -> list[Exchange]:
    """Asks everything in order. Answers that hold tokens are left out."""
    grant = {"grant_type": "password", "username": user, "scope": "openid profile email federated:id groups"}
    login = f"{url}/sky/issuer/token"
    wrong = requests.post(login, data={**grant, "password": "wrong"}, auth=("fly", "Zmx5"), timeout=30)
    token = requests.post(login, data={**grant, "password": password}, auth=("fly", "Zmx5"), timeout=30).json()["access_token"]
    refused = requests.get(f"{url}/api/v1/pipelines", headers={"Authorization": "Bearer nonsense"}, timeout=30)
    exchanges = [
        {"request": ["POST", "login with a wrong password"], "response": _said(wrong)},
        {"request": ["GET", "pipelines with a wrong token"], "response": _said(refused)},
    ]
    seen = build = artifact = ""
    for method, path, body, headers in SCENE:
        sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-yaml", **headers}
        sent = {name: value.replace("{seen}", seen) for name, value in sent.items()}
        address = f"{url}/api/v1/{path.replace('{build}', build)}"
        text = json.dumps(body).replace('"rootfs_uri": "IMAGE"', json.dumps(IMAGE)[1:-1]) if isinstance(body, dict) else body
        if isinstance(body, dict) and "packed" in body:
            text = packed({name: content.encode() for name, content in body["packed"].items()})
        elif isinstance(body, dict):
            text = text.replace('"ARTIFACT"', artifact)
        if path.endswith("/events"):
            response: Exchange = {"status": 200, "json": _events(address, sent)}
        else:
            answer = requests.request(method, address, data=text, headers=sent, timeout=30)
            while path == "builds/{build}" and answer.json()["status"] in ("pending", "started"):
                time.sleep(0.1)
                answer = requests.get(address, headers=sent, timeout=30)
            seen = answer.headers.get(_VERSION, seen)
            response = _said(answer)
            if path.endswith("builds") and answer.ok:
                build = str(answer.json()["id"])
            if "artifacts" in path and answer.ok:
                artifact = str(answer.json()["id"])
        exchanges.append({"request": [method, path, body], "response": response})
    return exchanges


def _said(answer: requests.Response) -> Exchange:
    try:
        return {"status": answer.status_code, "json": answer.json()}
    except ValueError:
        return {"status": answer.status_code, "text": answer.text}


def _events(address: str, headers: dict[str, str]) -> list[Any]:
    said: list[Any] = []
    with requests.get(address, headers={**headers, "Accept-Encoding": "identity"}, stream=True, timeout=10) as answer:
        for line in answer.iter_lines(decode_unicode=True):
            if line == "event: end":
                return said
            if line.startswith("data: "):
                said.append(json.loads(line.removeprefix("data: ")))
    raise AssertionError("no end")


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.parent.name)
def test_the_fake_answers_like_the_real_one(path: Path) -> None:
    recorded = json.loads(path.read_text())["exchanges"]
    with FakeConcourse() as fake:
        ours = play(fake.url, USER, PASSWORD)
    for mine, real in zip(ours, recorded, strict=True):
        where = " ".join(map(str, real["request"][:2]))
        assert mine["request"] == real["request"], f"{where}: record anew"
        assert mine["response"]["status"] == real["response"]["status"], f"{where}: {mine['response']}"
        compare(mine["response"].get("json"), real["response"].get("json"), where)
        assert _first_line(mine) == _first_line(real), where


def _first_line(exchange: Exchange) -> str:
    return str(exchange["response"].get("text", "")).partition("\n")[0]


def compare(ours: Any, real: Any, where: str) -> None:
    """The fake says nothing that the real one does not say."""
    if isinstance(ours, dict):
        assert isinstance(real, dict), where
        assert ours.keys() <= real.keys(), f"{where}: {ours.keys() - real.keys()} is our invention"
        for name, value in ours.items():
            if name in _SAME and not (name == "name" and "build" in where):  # builds of one team are counted
                assert value == real[name], f"{where}.{name}"
            else:
                compare(value, real[name], f"{where}.{name}")
    elif isinstance(ours, list):
        assert isinstance(real, list), where
        events = [[event for event in said if event.get("event") in ("log", "status", "finish-task")] for said in (ours, real)]
        for index, (one, other) in enumerate(zip(*events, strict=True)):
            compare(one, other, f"{where}[{index}]")
    elif ours is not None:
        assert isinstance(ours, type(real)), f"{where}: {ours!r}, {real!r}"


def test_there_is_a_recording() -> None:
    assert [path.parent.name for path in RECORDED] == ["concourse-8.2.5"]


@pytest.mark.live
def test_record() -> None:
    """Writes down what the real one says today, where nothing is written down for its version yet; else compares."""
    if "CONCOURSE_LIVE" not in os.environ:
        pytest.skip("needs CONCOURSE_LIVE, CONCOURSE_USER and CONCOURSE_PASSWORD")
    url = os.environ["CONCOURSE_LIVE"]
    version = requests.get(f"{url}/api/v1/info", timeout=10).json()["version"]
    exchanges = play(url, os.environ["CONCOURSE_USER"], os.environ["CONCOURSE_PASSWORD"])
    path = ROOT / f"tests/recorded/concourse-{version}/scene.json"
    if path.exists():
        known = [exchange["response"]["status"] for exchange in json.loads(path.read_text())["exchanges"]]
        assert [exchange["response"]["status"] for exchange in exchanges] == known
        return
    path.parent.mkdir()
    lines = ",\n".join(json.dumps(exchange, ensure_ascii=False) for exchange in exchanges)
    lines = re.sub(re.escape(url), "http://concourse.example", lines)
    lines = lines.replace(json.dumps(IMAGE)[1:-1].partition(": ")[2], '"IMAGE"')
    path.write_text(f'{{"server": "Concourse {version}", "exchanges": [\n{lines}\n]}}\n')
