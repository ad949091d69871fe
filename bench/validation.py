"""What validation by Concourse adds to a push, with the task file that is shipped.

On the Concourse that CONCOURSE_LIVE names; none can be had here. CONCOURSE_USER, CONCOURSE_PASSWORD and CONCOURSE_IMAGE
are as in tests/concourse/conftest.py; the image is the Dockerfile's `checkers`.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from bench.rows import Row, p50
from bench.running import Bench
from gitops_agent.concourse import packed
from gitops_agent.model import CHANGED, PACKED
from tests.worker.running import eventually

_ROOT = Path(__file__).parent.parent
_NEEDED = ("CONCOURSE_LIVE", "CONCOURSE_USER", "CONCOURSE_PASSWORD", "CONCOURSE_IMAGE")
_IMAGE: dict[str, Any] = json.loads(os.environ.get("CONCOURSE_IMAGE", "{}"))
_PLAN = 1
"""Seconds that the slow plan takes."""
_APART = 2
"""Seconds between pushes, and builds: Concourse clears away what the last one left, and that takes the disk."""


class RawConcourse:
    """The fewest calls, over one connection but for the events."""

    def __init__(self) -> None:
        self._place = urlsplit(os.environ["CONCOURSE_LIVE"]).netloc
        self._connection = http.client.HTTPConnection(self._place, timeout=120)
        login = base64.b64encode(b"fly:Zmx5").decode()
        form = {"grant_type": "password", "username": os.environ["CONCOURSE_USER"], "password": os.environ["CONCOURSE_PASSWORD"]}
        body = urlencode({**form, "scope": "openid profile email federated:id groups"}).encode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"}
        self._headers = {"Authorization": f"Bearer {self._call('/sky/issuer/token', body, headers)['access_token']}"}

    def validate(self, task: dict[str, Any]) -> float:
        """Seconds to start a build of the task, with the files in it, and to read its events to their end."""
        started = time.perf_counter()
        plan = {"id": "1", "do": [{"id": "2", "task": {"name": "validate", "config": task}}]}
        number = self._call("/api/v1/teams/main/builds", json.dumps(plan).encode(), self._headers)["id"]
        events = http.client.HTTPConnection(self._place, timeout=120)
        events.request("GET", f"/api/v1/builds/{number}/events", headers=self._headers)
        succeeded = False
        for line in events.getresponse():
            succeeded = succeeded or b'"status":"succeeded"' in line
            if line.startswith(b"event: end"):
                break
        events.close()
        if not succeeded:
            raise RuntimeError(f"build {number} did not succeed")
        return time.perf_counter() - started

    def _call(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"POST {path}: {answer.status} {content.decode()}")
        return json.loads(content)


def validation(bench: Bench) -> Iterator[Row | str]:
    missing = [name for name in _NEEDED if name not in os.environ]
    if missing:
        yield f"validation by Concourse: left out, {', '.join(missing)} not set"
        return
    bench.agent.stop()
    files = _mini_cloud()
    bench.push(files)
    raw = RawConcourse()
    archive = packed({path: text.encode() for path, text in files.items()})
    params = {CHANGED: "pages/index.html", PACKED: base64.b64encode(archive).decode()}
    task = {**_IMAGE, **yaml.safe_load(files["ci/validate.yaml"]), "inputs": [], "params": params}
    raw_times = []
    for _ in range(max(3, bench.rounds // 2) + 1):
        time.sleep(_APART)
        raw_times.append(raw.validate(task))
    raw_times = raw_times[1:]  # the first has a cold cache
    for seconds in (0, _PLAN):
        without = _applied(bench, f"a{seconds}", seconds)
        validated = _applied(bench, f"b{seconds}", seconds, validated=True)
        beside = f", planned in {seconds} s" if seconds else ""
        yield Row(f"ref moved → applied{beside}, p50", p50(without))
        yield Row(f"ref moved → applied{beside}, validated, p50", p50(validated), "", p50(raw_times))
        yield Row("what validation adds", p50(validated) - p50(without), "≤ 1500")


def _applied(bench: Bench, name: str, planned: float, *, validated: bool = False) -> list[float]:
    """Seconds from each push until its page is published. A plan takes `planned` seconds."""
    (bench.base / "concourse-password").write_text(os.environ["CONCOURSE_PASSWORD"])
    gate = f"""
[environments.test.validation]
address = "{os.environ["CONCOURSE_LIVE"]}"
username = "{os.environ["CONCOURSE_USER"]}"
password_file = "{bench.base}/concourse-password"
task = "ci/validate.yaml"
image = {_inline(_IMAGE.get("image_resource", {}))}
"""
    page = bench.agent.target("pages", check=["sleep", str(planned)])
    bench.agent.configure(targets=(gate if validated else "") + page, poll=3600, resync=86400)
    bench.agent.start()
    times = []
    for number in range(max(3, bench.rounds // 2) + 1):
        text = f"{name} {number}"
        time.sleep(_APART)
        _, moved = bench.push({"pages/index.html": text})
        eventually(lambda text=text: bench.agent.published("pages", "index.html") == text, 120)  # type: ignore[misc]
        times.append(time.time() - moved)
    bench.agent.stop()
    return times[1:]  # the first begins with a new agent


def _mini_cloud() -> dict[str, str]:
    """The mini-cloud as `init` writes it, and a page that changes. Its task file names no image but one on the worker's disk: that
    of agent.toml may hold a password."""
    places = (_ROOT / "stack", _ROOT / "repo-template")
    files = {
        str(path.relative_to(place)): path.read_text() for place in places for path in sorted(place.rglob("*")) if path.is_file()
    }
    more = f"rootfs_uri: {json.dumps(_IMAGE['rootfs_uri'])}\n" if "rootfs_uri" in _IMAGE else ""
    return {**files, "ci/validate.yaml": files["ci/validate.yaml"] + more, "pages/index.html": "first"}


def _inline(value: Any) -> str:
    """In the form of TOML."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_inline(item)}' for name, item in value.items())} }}"
    return json.dumps(value)
