"""What was recorded on a real Gitea, played to our client and asked of the fake: the client is right, and the fake is honest."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from gitops_agent.gitea import Gitea
from tests.conftest import ROOT
from tests.fakes.gitea import FakeGitea
from tests.fakes.http import Server
from tests.gitea_scenarios import SCENES, Scene, Stage

RECORDED = sorted((ROOT / "tests/recorded").glob("gitea-*"))
TOKENS = {
    "writer": ("write:repository",),
    "reader": ("read:repository",),
    "issues": ("write:issue",),
    "commenter": ("write:repository", "write:issue", "read:user"),
}
Exchange = dict[str, Any]


def exchanges_of(directory: Path, scene: Scene) -> list[Exchange]:
    recording = json.loads((directory / f"{scene.name}.json").read_text())
    assert recording["token"] == scene.token
    return list(recording["exchanges"])


def commit_of(exchanges: list[Exchange]) -> str:
    """The commit that the scene was about; any other there is gone."""
    paths = [exchange["request"]["path"] for exchange in exchanges]
    shas = [part for path in paths for part in path.split("?")[0].split("/") if len(part) == 40 and not part.startswith("0123")]
    return shas[0] if shas else "c" * 40


class _Replay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    left: ClassVar[list[Exchange]]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        exchange = self.left.pop(0)
        asked, answer = exchange["request"], exchange["response"]
        said = (self.command, _path(self.path), json.loads(body) if body else None)
        status, content = answer["status"], b"" if answer["json"] is None else json.dumps(answer["json"]).encode()
        if said != (asked["method"], _path(asked["path"]), asked["json"]):
            status, content = 599, f"recorded was {asked}, asked was {said}".encode()
        self.send_response(status)
        for name, value in {**answer["headers"], "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 -- the names http.server asks for

    def log_message(self, *_: object) -> None:
        pass


def _path(path: str) -> str:
    """Without the name of the repository, which is another on the stage."""
    parts = path.split("/")
    return "/".join((*parts[:4], *parts[6:])) if path.startswith("/api/v1/repos/") else path


@contextmanager
def replayed(exchanges: list[Exchange]) -> Iterator[tuple[str, list[Exchange]]]:
    left = list(exchanges)
    server = Server(0, type("Replay", (_Replay,), {"left": left}))
    yield f"http://127.0.0.1:{server.port}", left
    server.stop()


@contextmanager
def fake(sha: str, kind: str) -> Iterator[tuple[FakeGitea, str]]:
    """A fake as the real one was when the scene began, and the token of its kind."""
    with FakeGitea() as server:
        server.add_repository("live/config", commits=[sha])
        token = {"none": "", "wrong": "0" * 40}.get(kind, f"a-token-of-kind-{kind}")
        if kind in TOKENS:
            server.add_token(token, *TOKENS[kind])
            server.owners[token] = "live"
        if kind == "stranger":
            server.add_token(token, "write:repository")
            server.repositories["live/hidden"] = server.repositories.pop("live/config")
        yield server, token


def stage(url: str, sha: str, token: str, directory: Path) -> Stage:
    (directory / "token").write_text(token)
    gitea = Gitea(url, "live/config", directory / "token" if token else None)
    return Stage(url, sha, gitea, {"Authorization": f"token {token}"} if token else {})


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
@pytest.mark.parametrize("directory", RECORDED, ids=lambda path: path.name)
def test_the_client_understands_the_real_one(directory: Path, scene: Scene, tmp_path: Path) -> None:
    exchanges = exchanges_of(directory, scene)
    with replayed(exchanges) as (url, left):
        played = stage(url, commit_of(exchanges), "a-token-of-nobody" if scene.token != "none" else "", tmp_path)
        scene.play(played)
        played.gitea.close()
        assert left == [], "recorded, but no longer asked for: record anew"


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_client_sees_no_difference_on_the_fake(scene: Scene, tmp_path: Path) -> None:
    sha = "d83b3bd6fbb080607d55d42b215b8c5bce245d98"
    with fake(sha, scene.token) as (server, token):
        played = stage(server.url, sha, token, tmp_path)
        scene.play(played)
        played.gitea.close()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
@pytest.mark.parametrize("directory", RECORDED, ids=lambda path: path.name)
def test_the_fake_answers_like_the_real_one(directory: Path, scene: Scene) -> None:
    exchanges = exchanges_of(directory, scene)
    with fake(commit_of(exchanges), scene.token) as (server, token):
        headers = {"Authorization": f"token {token}"} if token else {}
        for exchange in exchanges:
            asked, real = exchange["request"], exchange["response"]
            if asked["method"] == "POST" and asked["path"].endswith("/hooks"):  # Gitea counts those of all repositories
                server.repositories["live/config"].next_hook = real["json"]["id"]
            if asked["method"] == "POST" and asked["path"].endswith("/comments"):
                server.numbers = itertools.count(real["json"]["id"])
            path = _path(asked["path"]).replace("/api/v1/repos", "/api/v1/repos/live/config")
            answer = requests.request(asked["method"], f"{server.url}{path}", json=asked["json"], headers=headers, timeout=10)
            where = f"{asked['method']} {path}"
            assert answer.status_code == real["status"], where
            assert answer.headers.get("X-Total-Count") == real["headers"].get("X-Total-Count"), where
            compare(answer.json() if answer.content else None, real["json"], where)


SAME = (
    "status",
    "state",
    "context",
    "description",
    "target_url",
    "total_count",
    "active",
    "events",
    "branch_filter",
    "message",
    "body",
)
"""Where the values have to be the same; elsewhere the type."""


def compare(ours: Any, real: Any, where: str) -> None:
    """The fake says nothing that the real one does not say, in the same order and of the same type."""
    assert type(ours) is type(real), where
    if isinstance(ours, list):
        assert len(ours) == len(real), where
        for index, (one, other) in enumerate(zip(ours, real, strict=True)):
            compare(one, other, f"{where}[{index}]")
    if isinstance(ours, dict):
        assert ours.keys() <= real.keys(), f"{where}: {ours.keys() - real.keys()} is our invention"
        for name in ours:
            within = f"{where}.{name}"
            if name in SAME or (name == "id" and "context" in ours):
                assert ours[name] == real[name], within
            elif real[name] is not None:
                compare(ours[name], real[name], within)


def test_there_are_recordings() -> None:
    assert [path.name for path in RECORDED] == ["gitea-1.26.3"]
    scenes = {scene.name for scene in SCENES}
    for directory in RECORDED:
        assert {path.stem for path in directory.glob("*.json")} == scenes
