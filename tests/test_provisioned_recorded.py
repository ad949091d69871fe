"""What was recorded on real Promtail, Loki and Grafana, asked of the fakes and played to the targets: the fakes are honest, and the
targets understand the real ones. tests/live/test_provisioned_recorded.py records."""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.errors import AgentError, ApplyFailed
from gitops_agent.file_target.server import ServerTarget
from gitops_agent.model import HealthStatus
from gitops_agent.target import Site
from tests.conformance.subject import KEY, build
from tests.conftest import ROOT
from tests.fakes.grafana import Grafana
from tests.fakes.http import Server
from tests.fakes.monitored import UNUSABLE, Monitored
from tests.provisioned import SCENES

Exchange = dict[str, Any]
RECORDED = {"promtail": "promtail-3.4.6", "loki": "loki-3.4.6", "grafana": "grafana-7.5-pre"}
SAID = ("uid", "name", "title", "message", "database", "readOnly", "provisioned", "folderUid", "folderTitle")
"""Where the values have to be the same."""


def recorded(kind: str) -> list[Exchange]:
    exchanges = json.loads((ROOT / "tests/recorded" / RECORDED[kind] / "scene.json").read_text())["exchanges"]
    asked = [(exchange["request"]["method"], exchange["request"]["path"]) for exchange in exchanges]
    assert asked == [(step.method, step.path) for step in SCENES[kind]], "the scene is another one: record anew"
    return list(exchanges)


@contextmanager
def fake(kind: str, directory: Path, port: int) -> Iterator[str]:
    """As the real one was when the scene began."""
    (directory / "promtail.yaml").write_text("first")
    for below in ("datasources", "dashboards"):
        (directory / below).mkdir()
    stand_in: Monitored | Grafana = (
        Grafana(port, directory)
        if kind == "grafana"
        else Monitored(
            port, directory / "promtail.yaml", reload=kind == "promtail", says="Ready" if kind == "promtail" else "ready\n"
        )
    )
    yield stand_in.url
    stand_in.stop()


@pytest.mark.parametrize("kind", SCENES)
def test_the_fake_answers_like_the_real_one(kind: str, tmp_path: Path, free_port: Callable[[], int]) -> None:
    moment = itertools.count(int(time.time()))

    def put(name: str, content: str | None) -> None:
        if content is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_bytes(UNUSABLE if content == "unusable" else content.encode())
            os.utime(tmp_path / name, times=(at := next(moment), at))  # as when it was recorded

    with fake(kind, tmp_path, free_port()) as url:
        for step, exchange in zip(SCENES[kind], recorded(kind), strict=True):
            answer, real = step.ask(url, put, "right"), exchange["response"]
            where = f"{step.method} {step.path} after {step.files}"
            assert answer.status_code == real["status"], where
            if step.path == "/metrics":
                assert real["text"].split()[0] in [line.split()[0] for line in answer.text.splitlines()], where
            elif "text" in real:
                assert answer.text == real["text"], where
            else:
                compare(answer.json() if answer.content else None, real["json"], where)


def compare(ours: Any, real: Any, where: str) -> None:
    """The fake says nothing that the real one does not say."""
    assert type(ours) is type(real), where
    if isinstance(ours, list):
        assert len(ours) == len(real), where
        for one, other in zip(ours, real, strict=True):
            compare(one, other, where)
    if isinstance(ours, dict):
        assert ours.keys() <= real.keys(), f"{where}: {ours.keys() - real.keys()} is our invention"
        assert {name: ours[name] for name in ours if name in SAID} == {name: real[name] for name in ours if name in SAID}, where


class _Player(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answer: ClassVar[Exchange]

    def _serve(self) -> None:
        content = self.answer.get("text")
        body = json.dumps(self.answer["json"]).encode() if content is None else content.encode()
        self.send_response(self.answer["status"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve  # noqa: N815 -- the names http.server asks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[[str, Exchange], ServerTarget]]:
    """A target of the kind, whose server gives that one answer."""
    made: list[tuple[Server, ServerTarget]] = []

    def playing(kind: str, exchange: Exchange) -> ServerTarget:
        server = Server(0, type("Player", (_Player,), {"answer": exchange["response"]}))
        settings = {"directory": f"{tmp_path}/published", "address": f"http://127.0.0.1:{server.port}"}
        target = build(kind, settings, Site("recorded", tmp_path, KEY))
        assert isinstance(target, ServerTarget)
        made.append((server, target))
        return target

    yield playing
    for server, target in made:
        target.close()
        server.stop()


def _of(kind: str, method: str, path: str) -> Sequence[Exchange]:
    found = [
        exchange
        for exchange in recorded(kind)
        if exchange["request"]["method"] == method and exchange["request"]["path"].startswith(path)
    ]
    assert found
    return found


@pytest.mark.parametrize("kind", SCENES)
def test_the_start_of_the_process_is_read(kind: str, play: Callable[[str, Exchange], ServerTarget]) -> None:
    for exchange in _of(kind, "GET", "/metrics"):
        started = play(kind, exchange).metric("process_start_time_seconds")
        assert started == float(exchange["response"]["text"].split()[1]) > 1_700_000_000


@pytest.mark.parametrize("kind", SCENES)
def test_ready_is_healthy_and_anything_else_is_said(kind: str, play: Callable[[str, Exchange], ServerTarget]) -> None:
    for exchange in _of(kind, "GET", "/api/health" if kind == "grafana" else "/ready"):
        health = play(kind, exchange).health()
        if exchange["response"]["status"] == 200:
            assert health.status is HealthStatus.HEALTHY
        else:
            assert health.status is HealthStatus.PROGRESSING
            assert health.reason.startswith("promtail is not ready: Not ready: Unable to find any logs")


SAYS = {
    "promtail": {"refused the new files: failed to reload config: ", "answered 404"},
    "loki": {"answered 404"},
    "grafana": {"answered 401", "refused the new files: {", "answered 404"},
}


@pytest.mark.parametrize("kind", SCENES)
def test_a_reload_is_taken_or_its_refusal_said(kind: str, play: Callable[[str, Exchange], ServerTarget]) -> None:
    said = set()
    for exchange in _of(kind, "POST", "/"):
        target = play(kind, exchange)
        if exchange["response"]["status"] == 200:
            target.told(exchange["request"]["path"], "is off")
        else:
            with pytest.raises(AgentError, match="|".join(re.escape(words) for words in SAYS[kind])) as raised:
                target.told(exchange["request"]["path"], "is off")
            said |= {words for words in SAYS[kind] if words in str(raised.value)}
    assert said == SAYS[kind]


def test_an_unchanged_file_is_no_failure_of_promtail(play: Callable[[str, Exchange], ServerTarget]) -> None:
    reloads = {exchange["response"].get("text", ""): exchange for exchange in _of("promtail", "POST", "/reload")}
    play("promtail", reloads["failed to reload config: config has not changed\n"]).reload()
    with pytest.raises(ApplyFailed, match="Unknown stage type: foo"):
        play("promtail", next(exchange for text, exchange in reloads.items() if "foo" in text)).reload()
