"""A worker as several systems see it: a fake Nomad has it, a real Consul knows it or not, it answers or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.doctor import workers
from gitops_agent.targets.consul.settings import ConsulSettings
from gitops_agent.targets.nomad.settings import NomadSettings
from tests.cli.world import eventually
from tests.doctor.conftest import Answers, bad
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.fakes.nomad_nodes import Node
from tests.targets.consul.server import ConsulServer

pytestmark = [pytest.mark.server, pytest.mark.slow]
Serve = Callable[[Answers], str]


@pytest.fixture
def running(binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path) -> Iterator[ConsulServer]:
    server = ConsulServer(binary("consul"), tmp_path, free_port)
    yield server
    server.stop()


def test_what_a_worker_needs(running: ConsulServer, serve: Serve, tmp_path: Path, free_port: Callable[[], int]) -> None:
    (tmp_path / "nomad-token").write_text(MANAGEMENT)
    (tmp_path / "consul-token").write_text(running.secret)
    registry = ConsulSettings(kind="consul", name="consul", address=running.url, token_file=tmp_path / "consul-token")
    place = serve({"GET /v1/agent/health": (200, {"client": {"ok": True}})}).removeprefix("http://")
    with FakeNomad() as fake:
        settings = NomadSettings(kind="nomad", name="nomad", address=fake.url, token_file=tmp_path / "nomad-token")
        worker = Node("worker1", "127.0.0.1", place, vault="")
        fake.nodes.joined.append(worker)

        def wrong(network: str = "127.0.0.0/8") -> dict[str, str]:
            return bad(workers.look(settings, registry, network=network, vault=True))

        assert wrong() == {
            "worker1 in Consul": f"is not registered as nomad-client at {place}: nor are the services of its jobs",
            "worker1 and Vault": "it does not reach Vault: jobs that ask for secrets do not start",
        }
        worker.vault = "1.14.9"
        port = int(place.rpartition(":")[2])
        check = {
            "Name": "Nomad Client HTTP Check",
            "HTTP": f"http://{place}/v1/agent/health",
            "Interval": "100ms",
            "Status": "critical",
        }
        service = {"ID": "_nomad-client-1", "Name": "nomad-client", "Address": "127.0.0.1", "Port": port, "Check": check}
        running.call("PUT", "/v1/agent/service/register", service)
        eventually(lambda: wrong() == {})
        assert list(wrong(network="192.168.64.0/24")) == ["worker1"]
        worker.http = f"127.0.0.1:{free_port()}"
        assert sorted(wrong()) == ["worker1", "worker1 in Consul"]
        worker.beats = False  # said of Nomad already
        assert wrong() == {}
