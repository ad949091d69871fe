"""200 Nomad jobs, changed and unchanged, on the Nomad that NOMAD_LIVE and NOMAD_TOKEN name: it is nothing that can be had here."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from bench.rows import Row, p50
from bench.running import Bench
from bench.stage import CountingProxy
from tests.worker.running import eventually

JOBS = 200
_JOB = """job "{name}" {{
  type = "batch"
  parameterized {{}}
  group "main" {{
    task "main" {{
      driver = "raw_exec"
      config {{
        command = "/bin/true"
      }}
      env {{
        VERSION = "{version}"
      }}
    }}
  }}
}}
"""


class RawNomad:
    """One connection, and the fewest calls."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._headers = {"X-Nomad-Token": token, "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self._connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {content.decode()}")
        return json.loads(content) if content else None

    def register(self, jobs: dict[str, str]) -> float:
        """Seconds to list what there is, and to parse, plan and register every job, each with its index enforced."""
        started = time.perf_counter()
        indexes = {row["ID"]: row["JobModifyIndex"] for row in self.call("GET", "jobs")}
        for name, text in jobs.items():
            job = self.call("POST", "jobs/parse", {"JobHCL": text})
            self.call("POST", f"job/{name}/plan", {"Job": job, "Diff": True})
            self.call("POST", "jobs", {"Job": job, "EnforceIndex": True, "JobModifyIndex": indexes.get(name, 0)})
        return time.perf_counter() - started

    def list(self) -> float:
        """Seconds to list what there is."""
        started = time.perf_counter()
        self.call("GET", "jobs")
        return time.perf_counter() - started

    def clean(self) -> None:
        for row in self.call("GET", "jobs"):
            if row["ID"].startswith(("bench-", "raw-")):
                self.call("DELETE", f"job/{row['ID']}?purge=true")
        self.call("DELETE", "var/gitops-agent/test/nomad")


def nomad_jobs(bench: Bench) -> Iterator[Row | str]:
    if "NOMAD_LIVE" not in os.environ or "NOMAD_TOKEN" not in os.environ:
        yield f"{JOBS} Nomad jobs: left out, NOMAD_LIVE and NOMAD_TOKEN name no Nomad"
        return
    address, token = os.environ["NOMAD_LIVE"], os.environ["NOMAD_TOKEN"]
    raw = RawNomad(address, token)
    raw.clean()
    place = urlsplit(address)
    with CountingProxy(place.port or 4646, place.hostname or "127.0.0.1") as proxy:
        (bench.base / "nomad-token").write_text(token)
        bench.agent.stop()
        bench.agent.configure(targets=_target(bench, proxy), poll=3600, resync=86400)
        bench.agent.start()
        try:
            yield from _measured(bench, proxy, raw)
        finally:
            bench.agent.stop()
            raw.clean()


def _target(bench: Bench, proxy: CountingProxy) -> str:
    return bench.agent.target(
        "nomad", "nomad", address=f"http://127.0.0.1:{proxy.listen}", token_file=f"{bench.base}/nomad-token", only=["job:bench-*"]
    )


def _measured(bench: Bench, proxy: CountingProxy, raw: RawNomad) -> Iterator[Row]:
    rounds = max(3, bench.rounds // 3)
    bench.agent.settled(bench.push(_files("first"))[0], timeout=60)
    raw.register(_jobs("raw", "first"))
    changed, raw_changed, calls = [], [], 0
    for number in range(rounds):
        proxy.requests.clear()
        bench.agent.settled(bench.push(_files(f"v{number}"))[0], timeout=60)
        calls = _counted(proxy)
        changed.append(bench.last_run()[0])
        raw_changed.append(raw.register(_jobs("raw", f"v{number}")))
    yield Row(f"{JOBS} Nomad jobs changed, whole run, p50", p50(changed), "", p50(raw_changed))
    yield Row("requests to Nomad of such a run", calls, "", 3 * JOBS + 1, unit="")
    unchanged, raw_unchanged = [], []
    for number in range(rounds + 1):
        proxy.requests.clear()
        before = bench.last_run()[1]
        bench.agent.api("/environments/test/sync", {})
        eventually(lambda before=before: bench.last_run()[1] != before)  # type: ignore[misc]
        eventually(lambda: bench.agent.environment()["current"] is None)
        if number:  # the first one plans each job once more, and remembers
            unchanged.append(bench.last_run()[0])
            raw_unchanged.append(raw.list())
    yield Row(f"{JOBS} Nomad jobs unchanged, whole run, p50", p50(unchanged), "≤ 100", p50(raw_unchanged))
    yield Row("requests to Nomad of such a run", _counted(proxy), "", 1, unit="")


def _counted(proxy: CountingProxy) -> int:
    """Without the blocking queries of the watch."""
    return sum("wait=" not in request for request in proxy.requests)


def _jobs(prefix: str, version: str) -> dict[str, str]:
    names = [f"{prefix}-{number:03}" for number in range(JOBS)]
    return {name: _JOB.format(name=name, version=version) for name in names}


def _files(version: str) -> dict[str, str]:
    return {f"nomad/{name}.nomad.hcl": text for name, text in _jobs("bench", version).items()}
