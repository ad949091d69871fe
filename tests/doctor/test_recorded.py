"""What the real systems said when they were well and when they were not, played to the doctor and asked of the fakes: the doctor
understands the real ones, and the fakes of test_sixteen.py are honest. tests/live/test_doctor.py records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.conftest import ROOT
from tests.doctor import fake_stages as fake
from tests.doctor.conftest import bad
from tests.doctor.recorded import LOOKS, METRICS
from tests.doctor.stage import Ground
from tests.fakes.http import Server
from tests.live.recorder import Recorder

_DIRECTORY = ROOT / "tests/recorded/doctor"
_SAID = {
    "concourse-8.2.5/well": {},
    "concourse-8.2.5/worker-stalled": {"worker live-worker": "is stalled"},
    "gitea-1.26.3/well": {},
    "gitea-1.26.3/bot-token-revoked": {
        "bot token": "gitea refuses the token for the user of the token: invalid username, password or token"
    },
    "loki-3.4.6/well": {},
    "loki-3.4.6/not-ready": {"ready": "is not ready: Ingester not ready: waiting for 15s after being ready"},
    "nomad-2.0.5/well": {},
    "nomad-2.0.5/worker-gone": {"worker worker1": "down at nomad.example"},
    "promtail-3.4.6/well": {},
    "promtail-3.4.6/not-shipping": {"ships": "has shipped no line since it started, though it has read 3"},
}
"""What is wrong, by version and state."""
_STAGES = {
    "concourse": fake.concourse_worker_stalled,
    "gitea": fake.bot_token_revoked,
    "loki": fake.loki_not_ready,
    "nomad": fake.nomad_worker_gone,
    "promtail": fake.promtail_not_shipping,
}
_SAME = ("state", "Status", "message", "errors", "SchedulingEligibility", "Drain", "login_name")
"""Where a fake has to say the very same."""


def _exchanges(record: str) -> list[dict[str, Any]]:
    return list(json.loads((_DIRECTORY / f"{record}.json").read_text())["exchanges"])


class _Player(BaseHTTPRequestHandler):
    answers: ClassVar[dict[tuple[str, str], dict[str, Any]]]

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.answers[self.command, self.path.partition("?")[0]]
        self.send_response(answer["status"])
        for name, value in answer["headers"].items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write((answer["text"] if "text" in answer else json.dumps(answer["json"])).encode())

    do_GET = do_POST = _serve  # noqa: N815 -- the names http.server asks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
        pass


@contextmanager
def _playing(record: str) -> Iterator[str]:
    asked = {(one["request"]["method"], one["request"]["path"].partition("?")[0]): one["response"] for one in _exchanges(record)}
    server = Server(0, type("Player", (_Player,), {"answers": asked}))
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


def test_every_recording_is_looked_at() -> None:
    assert sorted(str(file.relative_to(_DIRECTORY).with_suffix("")) for file in _DIRECTORY.rglob("*.json")) == sorted(_SAID)


@pytest.mark.parametrize("record", _SAID)
def test_the_doctor_understands_the_real_one(record: str, tmp_path: Path) -> None:
    with _playing(record) as url:
        assert bad(LOOKS[record.partition("-")[0]](url, tmp_path, "live:a-token")) == _SAID[record]


@pytest.mark.parametrize("record", _SAID)
def test_the_fake_says_what_the_real_one_says(record: str, tmp_path: Path, public_path: Path, free_port: Callable[[], int]) -> None:
    """The doctor asks the fake the same, in the same order, and hears nothing that the real one does not say."""
    ground = Ground(tmp_path, public_path, str, free_port)
    with _STAGES[record.partition("-")[0]](ground) as stage:
        recorder = Recorder(stage.address, METRICS)
        if not record.endswith("/well"):
            stage.wreck()
        list(LOOKS[record.partition("-")[0]](recorder.url, tmp_path, stage.secret))
        recorder.close()
    for ours, real in zip(recorder.exchanges, _exchanges(record), strict=True):
        path = real["request"]["path"].partition("?")[0]
        assert (ours["request"]["method"], ours["request"]["path"].partition("?")[0]) == (real["request"]["method"], path)
        assert ours["response"]["status"] == real["response"]["status"], path
        _compare(_body(ours), _body(real), path)


def _body(exchange: dict[str, Any]) -> Any:
    """Of metrics their names: which numbers there are is not the point."""
    body = exchange["response"].get("json", exchange["response"].get("text"))
    return {line.split("{")[0].split()[0]: "" for line in body.splitlines()} if "promtail_" in str(body) else body


def _compare(ours: Any, real: Any, where: str) -> None:
    assert type(ours) is type(real), where
    if isinstance(ours, list):
        for one in ours:
            _compare(one, real[0], where)
    if isinstance(ours, dict):
        assert ours.keys() <= real.keys(), f"{where}: {ours.keys() - real.keys()} is our invention"
        for name, value in ours.items():
            if name in _SAME:
                assert value == real[name], f"{where}: {name}"
            elif isinstance(value, dict | list):
                _compare(value, real[name], f"{where}: {name}")
