"""The Consul of the stack: its server's configuration, and what each token may do, on a real Consul."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gitops_agent.model import Files
from gitops_agent.target import Site, Target
from tests.conformance.converge import converge
from tests.conformance.subject import KEY, build
from tests.stack import rendered
from tests.targets.consul.server import ConsulServer

_WITHOUT_NOMAD = "features: {nomad_workload_identity: false}"
_SERVERS = [pytest.param("consul", marks=pytest.mark.server)]
if "CONSUL_LIVE_BIN" in os.environ:
    _SERVERS.append(pytest.param("consul-live", marks=pytest.mark.live))


@pytest.fixture(scope="module")
def files() -> Files:
    """Without Nomad, whom Consul asks for its keys when the auth method is written."""
    return rendered.folder("consul", _WITHOUT_NOMAD)


@pytest.fixture(scope="module", params=_SERVERS)
def server(
    request: pytest.FixtureRequest,
    binary: Callable[[str], str],
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ConsulServer]:
    as_in_the_stack = ("-node=consul", '-hcl=telemetry { prometheus_retention_time = "60s" }')
    without_grpc = ("-grpc-tls-port=-1",) if request.param == "consul-live" else ()  # older ones have none
    running = ConsulServer(binary(request.param), tmp_path_factory.mktemp("consul"), free_port, *as_in_the_stack, *without_grpc)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def consul(server: ConsulServer, files: Files, tmp_path_factory: pytest.TempPathFactory) -> ConsulServer:
    """With everything in it that the folder declares."""
    directory = tmp_path_factory.mktemp("site")
    target = _target(server, server.secret, directory)
    converge(target, files, secrets=rendered.Secrets())
    target.close()
    return server


def _target(server: ConsulServer, token: str, directory: Path) -> Target:
    (directory / "token").write_text(token)
    settings = {"address": server.url, "token_file": str(directory / "token"), "secrets": ["file:*"]}
    return build("consul", settings, Site("test", directory, KEY))


def _ask(server: ConsulServer, consumer: str, method: str, path: str, body: Any = None) -> int:
    token = rendered.value(f"file:{consumer}-consul-token")
    return requests.request(method, f"{server.url}{path}", json=body, headers={"X-Consul-Token": token}, timeout=10).status_code


@pytest.mark.server
def test_consul_takes_the_servers_configuration(tmp_path: Path, binary: Callable[[str], str]) -> None:
    """But for ui.hcl, which the old Consul that CI has does not know."""
    directory = rendered.write(rendered.folder("consul-server"), tmp_path)
    done = subprocess.run(
        [binary("consul"), "validate", str(directory / "consul.hcl")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.live
@pytest.mark.skipif("CONSUL_LIVE_BIN" not in os.environ, reason="CONSUL_LIVE_BIN names no Consul")
def test_a_new_consul_takes_all_of_it(tmp_path: Path) -> None:
    directory = rendered.write(rendered.folder("consul-server"), tmp_path)
    subprocess.run([os.environ["CONSUL_LIVE_BIN"], "validate", str(directory)], check=True)


def test_the_agent_finds_nothing_to_do_and_may_see_that(consul: ConsulServer, files: Files, tmp_path: Path) -> None:
    """With the token that the folder itself declares for the agent, and no other."""
    target = _target(consul, rendered.value("file:gitops-agent-consul-token"), tmp_path)
    index = consul.call("GET", "/v1/agent/self")["Stats"]["raft"]["last_log_index"]
    assert not converge(target, files, secrets=rendered.Secrets())
    after = consul.call("GET", "/v1/agent/self")["Stats"]["raft"]["last_log_index"]
    assert int(after) - int(index) < 3  # Consul writes something of its own now and then
    target.close()


@pytest.mark.parametrize(
    ("consumer", "method", "path", "answer"),
    [
        ("prometheus", "GET", "/v1/agent/metrics?format=prometheus", 200),
        ("prometheus", "PUT", "/v1/kv/test/x", 403),
        ("consul-template", "GET", "/v1/agent/metrics", 403),
        ("consul-template", "PUT", "/v1/kv/test/x", 403),
        ("nomad-client", "PUT", "/v1/kv/test/x", 403),
        ("nomad-client", "GET", "/v1/acl/tokens", 403),
        ("nomad-server", "GET", "/v1/agent/self", 200),
        ("vault", "GET", "/v1/acl/tokens", 200),
        ("vault", "PUT", "/v1/kv/test/x", 403),
        ("gitops-agent", "PUT", "/v1/kv/test/x", 200),
        ("gitops-agent", "PUT", "/v1/kv/other/x", 403),
    ],
)
def test_a_consumer_may_do_its_work_and_no_more(consul: ConsulServer, consumer: str, method: str, path: str, answer: int) -> None:
    assert _ask(consul, consumer, method, path, {}) == answer


def test_a_worker_registers_a_service_and_consul_template_finds_it(consul: ConsulServer) -> None:
    service = {"Name": "example-server", "Address": "192.168.64.15", "Port": 24095}
    assert _ask(consul, "consul-template", "PUT", "/v1/agent/service/register", service) == 403
    assert _ask(consul, "nomad-client", "PUT", "/v1/agent/service/register", service) == 200
    token = rendered.value("file:consul-template-consul-token")
    found = requests.get(
        f"{consul.url}/v1/health/service/example-server?passing", headers={"X-Consul-Token": token}, timeout=10
    ).json()
    assert [(one["Service"]["Address"], one["Service"]["Port"]) for one in found] == [("192.168.64.15", 24095)]
