"""Real Promtail and Loki, where PROMTAIL_BIN and LOKI_BIN name them: each supervised, changed, broken and brought back."""

from __future__ import annotations

import os
import urllib.error
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed, InvalidRevision
from gitops_agent.model import Files, HealthStatus
from gitops_agent.target import Site, Target
from tests.conformance.converge import converge, plan
from tests.conformance.holding import eventually
from tests.conformance.subject import KEY, build
from tests.fakes.http import Server
from tests.targets.supervised import Supervised, get

pytestmark = pytest.mark.live


class _Sink(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
        pass


def _program(name: str) -> str:
    path = os.environ.get(f"{name.upper()}_BIN")
    if path is None:
        pytest.skip(f"{name.upper()}_BIN names no {name}")
    return path


def _target(kind: str, directory: Path, port: int, **more: object) -> Target:
    settings = {"directory": str(directory / "published"), "address": f"http://127.0.0.1:{port}", **more}
    return build(kind, settings, Site("live", directory, KEY))


def _becomes_healthy(target: Target) -> None:
    eventually(lambda: target.health().status is HealthStatus.HEALTHY, 60, "health")


def _refused(target: Target, files: Files) -> str:
    with pytest.raises(InvalidRevision) as raised:
        plan(target, files)
    return str(raised.value)


def test_promtail(tmp_path: Path, free_port: Callable[[], int]) -> None:
    binary, port = _program("promtail"), free_port()
    config = tmp_path / "published/current/promtail.yaml"
    sink = Server(0, _Sink)  # a Promtail that cannot get rid of its lines waits for that before it reloads
    (tmp_path / "a.log").write_text("a line\n")

    def files(job: str, stages: str = "") -> Files:
        text = f"""
server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_port: 0, enable_runtime_reload: true}}
positions: {{filename: {tmp_path}/positions.yaml}}
clients: [{{url: "http://127.0.0.1:{sink.port}/loki/api/v1/push"}}]
scrape_configs:
- job_name: {job}
  pipeline_stages: [{stages}]
  static_configs: [{{targets: [localhost], labels: {{job: {job}, __path__: "{tmp_path}/*.log"}}}}]
"""
        return {"promtail.yaml": text.encode(), "README": job.encode()}

    target = _target("promtail", tmp_path, port, check=[binary, "-config.file={staged}/{config}", "-check-syntax"])
    server = Supervised([binary, f"-config.file={config}"], config, tmp_path / "promtail.out")
    with server.running():
        converge(target, files("one"))
        _becomes_healthy(target)
        converge(target, files("two"), applied=files("one"))
        assert "promtail_config_reload_success_total 1" in get(f"http://127.0.0.1:{port}/metrics")
        converge(target, {**files("two"), "README": b"unchanged for Promtail"}, applied=files("two"))
        _becomes_healthy(target)
        assert _refused(target, {"promtail.yaml": b"server: {}\nfoo: 1\n"}).startswith("promtail.yaml:2: Unable to parse config")
        with pytest.raises(ApplyFailed, match=r"Unknown stage type: foo; and the previous files .*restart it"):
            converge(target, files("three", "{foo: {}}"), applied=files("two"))
        assert target.health().status is not HealthStatus.HEALTHY
        server.kill()
        eventually(lambda: _answers(port), 30, "promtail is back")
        converge(target, files("two"), applied=files("two"))
        _becomes_healthy(target)
        restarting = _target(
            "promtail", tmp_path, port, reload=["sh", "-c", f"kill $(cat {server.pid_file})"], check=[], reload_timeout=8
        )
        converge(restarting, files("four"), applied=files("two"))
        with pytest.raises(ApplyFailed, match="the previous files are back"):
            converge(restarting, files("five", "{foo: {}}"), applied=files("four"))
        _becomes_healthy(restarting)
        restarting.close()
    target.close()
    sink.stop()


def test_loki(tmp_path: Path, free_port: Callable[[], int]) -> None:
    binary, port = _program("loki"), free_port()
    config = tmp_path / "published/current/loki.yaml"
    data = tmp_path / "data"

    def files(limit: int) -> Files:
        text = f"""auth_enabled: false
server: {{http_listen_address: 127.0.0.1, http_listen_port: {port}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {free}}}
common:
  instance_addr: 127.0.0.1
  path_prefix: {data}
  storage: {{filesystem: {{chunks_directory: {data}/chunks, rules_directory: {data}/rules}}}}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
ingester: {{lifecycler: {{min_ready_duration: 0s, final_sleep: 0s}}}}
schema_config:
  configs: [{{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}]
limits_config: {{max_query_series: {limit}}}
analytics: {{reporting_enabled: false}}
"""
        return {"loki.yaml": text.encode()}

    free = free_port()
    server = Supervised([binary, f"-config.file={config}"], config, tmp_path / "loki.out")
    check = [binary, "-config.file={staged}/{config}", "-verify-config"]
    target = _target("loki", tmp_path, port, check=check, reload=["sh", "-c", f"kill $(cat {server.pid_file})"])
    with server.running():
        converge(target, files(501))
        _becomes_healthy(target)
        converge(target, files(502), applied=files(501))
        _becomes_healthy(target)
        assert "max_query_series: 502" in get(f"http://127.0.0.1:{port}/config")
        assert _refused(target, {"loki.yaml": b"auth_enabled: false\nfoo: 1\n"}).startswith("loki.yaml:2: failed parsing config")
    target.close()


def _answers(port: int) -> bool:
    try:
        get(f"http://127.0.0.1:{port}/metrics")
    except (urllib.error.URLError, ConnectionError):
        return False
    return True
