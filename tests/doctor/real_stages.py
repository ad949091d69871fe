"""Stages with the real programs that CI can have: Consul, OpenBao, nginx, Prometheus, a disk."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from gitops_agent.doctor import consul, disk, hostnames, prometheus, upstreams, vault
from gitops_agent.doctor.finding import Findings
from gitops_agent.targets.consul.settings import ConsulSettings
from gitops_agent.targets.prometheus import TARGET as PROMETHEUS
from gitops_agent.targets.vault.settings import VaultSettings
from tests.doctor.nginx import Nginx
from tests.doctor.stage import STACK, Ground, Stage
from tests.fakes.http import Server
from tests.targets.consul.server import ConsulServer
from tests.targets.vault.server import VaultServer


@contextmanager
def _bao(ground: Ground) -> Iterator[VaultServer]:
    server = VaultServer(ground.binary("bao"), ground.path, ground.free_port)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _consul(ground: Ground) -> Iterator[ConsulServer]:
    server = ConsulServer(ground.binary("consul"), ground.path, ground.free_port)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def vault_sealed(ground: Ground) -> Iterator[Stage]:
    with _bao(ground) as bao:
        settings = VaultSettings(kind="vault", name="vault", address=bao.url)
        yield Stage(lambda: vault.look(settings, STACK, {}), bao.seal, bao.unseal)


@contextmanager
def vault_token_expiring(ground: Ground) -> Iterator[Stage]:
    """It was renewed for a minute only; the doctor's own repair mends it."""
    with _bao(ground) as bao:
        settings = VaultSettings(kind="vault", name="vault", address=bao.url)
        token = bao.call("POST", "auth/token/create", {"policies": ["default"]})["auth"]["client_token"]
        (ground.path / "prometheus-vault-token").write_text(token)

        def repair() -> None:
            (finding,) = vault.tokens(settings, ground.path)
            assert finding.repair is not None
            finding.repair.make()

        def look() -> Findings:
            return vault.tokens(settings, ground.path)

        yield Stage(look, lambda: bao.call("POST", "auth/token/renew-self", {"increment": "60s"}, token=token), repair)


@contextmanager
def consul_without_leader(ground: Ground) -> Iterator[Stage]:
    """Two servers, of which one is killed: the other has no majority."""
    processes: dict[str, subprocess.Popen[bytes]] = {}
    ports = {name: {kind: ground.free_port() for kind in ("http", "server", "serf_lan", "serf_wan")} for name in ("one", "two")}

    def start(name: str) -> None:
        other = ports["two" if name == "one" else "one"]["serf_lan"]
        config = {
            "ports": {**ports[name], "dns": -1, "grpc": -1},
            "bind_addr": "127.0.0.1",
            "data_dir": str(ground.path / name),
            "node_name": name,
            "server": True,
            "bootstrap_expect": 2,
            "retry_join": [f"127.0.0.1:{other}"],
            "retry_interval": "100ms",
            "performance": {"raft_multiplier": 1},
            "disable_update_check": True,
        }
        (ground.path / f"{name}.json").write_text(json.dumps(config))
        command = [ground.binary("consul"), "agent", f"-config-file={ground.path / name}.json"]
        processes[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(name: str) -> None:
        processes[name].kill()
        processes[name].wait()

    settings = ConsulSettings(kind="consul", name="consul", address=f"http://127.0.0.1:{ports['one']['http']}")
    start("one")
    start("two")
    try:
        yield Stage(lambda: consul.look(settings, STACK), lambda: kill("two"), lambda: start("two"))
    finally:
        for name in processes:
            kill(name)


@contextmanager
def consul_token_expired(ground: Ground) -> Iterator[Stage]:
    """Consul deletes what has expired, a minute after it was made at the earliest: here it is deleted at once."""
    with _consul(ground) as server:
        settings = ConsulSettings(kind="consul", name="consul", address=server.url)
        file = ground.path / "worker-consul-token"

        def issue() -> str:
            made = server.call("PUT", "/v1/acl/token", {"Description": "a worker's"})
            file.write_text(made["SecretID"])
            return str(made["AccessorID"])

        accessor = issue()
        expire = f"/v1/acl/token/{accessor}"
        yield Stage(lambda: consul.tokens(settings, ground.path), lambda: server.call("DELETE", expire), issue)


@contextmanager
def stale_registration(ground: Ground) -> Iterator[Stage]:
    """The doctor's own repair mends it."""
    with _consul(ground) as server:
        (ground.path / "token").write_text(server.secret)
        settings = ConsulSettings(kind="consul", name="consul", address=server.url, token_file=ground.path / "token")
        gone = {
            "Node": "worker9",
            "Address": "192.0.2.9",
            "Service": {"ID": "shop-1", "Service": "shop", "Port": 80},
            "Check": {"CheckID": "serfHealth", "Name": "Serf Health Status", "Status": "critical"},
        }

        def repair() -> None:
            (stale,) = (finding for finding in consul.look(settings, STACK) if not finding.ok)
            assert stale.repair is not None
            stale.repair.make()

        yield Stage(lambda: consul.look(settings, STACK), lambda: server.call("PUT", "/v1/catalog/register", gone), repair)


class _Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"up_and_well 1\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
        pass


@contextmanager
def scrape_target_down(ground: Ground) -> Iterator[Stage]:
    scraped, port = [Server(0, _Metrics)], ground.free_port()
    place = scraped[0].port
    (ground.path / "prometheus.yml").write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        f"scrape_configs: [{{job_name: gitea, static_configs: [{{targets: ['127.0.0.1:{place}']}}]}}]\n"
    )
    command = [
        ground.binary("prometheus"),
        f"--config.file={ground.path}/prometheus.yml",
        f"--storage.tsdb.path={ground.path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    table = {"kind": "prometheus", "name": "prometheus", "directory": "/x", "address": f"http://127.0.0.1:{port}"}
    settings = PROMETHEUS.Settings.model_validate(table)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Stage(
            lambda: prometheus.look(settings, STACK, ["gitea"]),
            scraped[0].stop,
            lambda: scraped.append(Server(place, _Metrics)),
        )
    finally:
        scraped[-1].stop()
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def _nginx(ground: Ground) -> Iterator[Nginx]:
    nginx = Nginx(ground.binary("nginx"), ground.public, ground.free_port())
    nginx.sign("good", 30)
    nginx.serve(good=204)
    try:
        yield nginx
    finally:
        nginx.stop()


@contextmanager
def certificate_expired(ground: Ground) -> Iterator[Stage]:
    with _nginx(ground) as nginx:

        def renew(days: int) -> None:
            nginx.sign("good", days)
            nginx.serve(good=204)

        yield Stage(lambda: hostnames.look(nginx.values, STACK), lambda: renew(-1), lambda: renew(30))


@contextmanager
def hostname_missing(ground: Ground) -> Iterator[Stage]:
    """Another one is served; the values still have this one."""
    with _nginx(ground) as nginx:
        nginx.sign("other", 30)
        yield Stage(
            lambda: hostnames.look(nginx.values, STACK), lambda: nginx.serve(other=204), lambda: nginx.serve(good=204, other=204)
        )


@contextmanager
def upstream_empty(ground: Ground) -> Iterator[Stage]:
    """The only instance goes from a real Consul; the file is what consul-template makes of it."""
    with _consul(ground) as server:
        settings = ConsulSettings(kind="consul", name="consul", address=server.url, token_file=ground.path / "token")
        (ground.path / "token").write_text(server.secret)
        file = ground.path / "upstreams/http/example_server.conf"
        file.parent.mkdir(parents=True)
        values = {"root": str(ground.path), "domain": "localhost", "hostnames": [{"name": "example", "consul": "example-server"}]}
        instance = {"ID": "example-1", "Name": "example-server", "Address": "127.0.0.1", "Port": 24095}

        def rendered(servers: str) -> None:
            file.write_text(f"upstream example_server {{\n    server 127.0.0.1:9 down; # keeps the group valid\n{servers}}}\n")

        def up() -> None:
            server.call("PUT", "/v1/agent/service/register", instance)
            rendered("    server 127.0.0.1:24095 max_fails=0;\n")

        def down() -> None:
            server.call("PUT", "/v1/agent/service/deregister/example-1")
            rendered("")

        up()
        yield Stage(lambda: upstreams.look(values, settings, STACK), down, up)


@contextmanager
def disk_nearly_full(ground: Ground) -> Iterator[Stage]:
    """The real disk: what counts as full is put just below what is used, which is as if somebody had filled it."""
    usage = shutil.disk_usage(ground.path)
    used = 1 - usage.free / usage.total
    limit = {"full": 1.0}
    later: list[Path] = [ground.path, ground.path / "later"]
    yield Stage(
        lambda: disk.look(later, limit["full"]), lambda: limit.update(full=used * 0.98), lambda: limit.update(full=used * 0.5 + 0.5)
    )
