"""The example of the document, from its folder to its page: run by a real Nomad, found in a real Consul, with a secret from a real
Vault; each with the configuration and the rights that the stack gives it.

Needs CONSUL_LIVE_BIN, VAULT_LIVE_BIN, NOMAD_LIVE_BIN, Docker, and EXAMPLE_IMAGE: an image that serves /usr/share/nginx/html on
port 80.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gitops_agent.model import Files, HealthStatus
from gitops_agent.target import Site, Target
from tests.conformance.converge import converge
from tests.conformance.holding import eventually
from tests.conformance.subject import KEY, build
from tests.stack import rendered
from tests.stack.vault_server import StackVault
from tests.targets.consul.server import ConsulServer

_NEEDED = ("CONSUL_LIVE_BIN", "VAULT_LIVE_BIN", "NOMAD_LIVE_BIN", "EXAMPLE_IMAGE")
pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not all(name in os.environ for name in _NEEDED), reason=f"needs {', '.join(_NEEDED)}"),
]
_MANAGEMENT = "3f1a4a0e-2f0f-4bd0-8a55-0d1d2a3e4f50"
_WORKER = """
ports {{
  http = {http}
  rpc  = {rpc}
  serf = {serf}
}}
advertise {{
  serf = "127.0.0.1"
}}
client {{
  enabled           = true
  network_interface = "lo"
  cni_path          = "/usr/lib/cni"
  options           = {{ "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean" }}
}}
plugin "docker" {{
  config {{
    gc {{
      image = false
    }}
  }}
}}
vault {{
  address               = "{vault}"
  jwt_auth_backend_path = "jwt-nomad"
}}
"""


class Cloud:
    """Server and worker are one Nomad agent."""

    def __init__(self, directory: Path, free_port: Callable[[], int], *, identities: bool) -> None:
        self.directory = directory
        self._identities = identities
        self._overlay = f"""
features: {{nomad_workload_identity: {str(identities).lower()}}}
images: {{nginx: "{os.environ["EXAMPLE_IMAGE"]}"}}
workers: {{host_address: 127.0.0.1}}
"""
        self._targets: list[Target] = []
        self._nomad: subprocess.Popen[bytes] | None = None
        self._ports = {name: free_port() for name in ("http", "rpc", "serf")}
        self.nomad = f"http://127.0.0.1:{self._ports['http']}"
        self.consul = ConsulServer(
            os.environ["CONSUL_LIVE_BIN"], self._made("consul"), free_port, "-node=consul", "-grpc-tls-port=-1"
        )
        self.vault = StackVault(os.environ["VAULT_LIVE_BIN"], self._made("vault"), free_port, nomad_workload_identity=identities)

    def start(self) -> None:
        if self._identities:
            self._start_nomad()  # Consul and Vault ask it for its keys
        self.apply("consul", self.consul.url, self.consul.secret)
        self.apply("vault", self.vault.url, self.vault.root)
        if not self._identities:
            self._start_nomad()
        self.example = self.apply("nomad", self.nomad, _MANAGEMENT)

    def apply(self, kind: str, address: str, token: str) -> Target:
        directory = self._made(f"site-{kind}")
        (directory / "token").write_text(token)
        settings = {"address": address, "token_file": str(directory / "token"), "secrets": ["file:*"]}
        if kind == "vault":
            settings["token_directory"] = str(self.vault.secrets)
        target = build(kind, settings, Site("test", directory, KEY))
        self._targets.append(target)
        converge(target, self.folder(kind), secrets=rendered.Secrets())
        return target

    def folder(self, name: str) -> Files:
        """With the addresses of this host in the place of those in the compose network."""
        elsewhere = {
            "http://consul:8500": self.consul.url,
            "http://vault:8200": self.vault.url,
            "http://nomad-server:4646": self.nomad,
        }
        bare = {"consul:8500": self.consul.url.removeprefix("http://")}
        files = rendered.folder(name, self._overlay)
        for named, here in {**elsewhere, **bare}.items():
            files = {path: content.replace(named.encode(), here.encode()) for path, content in files.items()}
        return files

    def _start_nomad(self) -> None:
        ports = self._ports
        directory = self._made("nomad")
        text = rendered.plain(self.folder("nomad-server"))["nomad.hcl"].decode()
        text = text.replace("/nomad/data", str(directory / "data")).replace('"0.0.0.0"', '"127.0.0.1"')
        text = text.replace(":4646", f":{ports['http']}").replace(":4647", f":{ports['rpc']}")
        (directory / "1-server.hcl").write_text(text)
        (directory / "2-worker.hcl").write_text(_WORKER.format(**ports, vault=self.vault.url))
        command = [
            os.environ["NOMAD_LIVE_BIN"],
            "agent",
            *(f"-config={directory / name}" for name in ("1-server.hcl", "2-worker.hcl")),
        ]
        with (directory / "log").open("wb") as log:
            self._nomad = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        eventually(self._bootstrapped, 30, "Nomad's ACLs")
        eventually(lambda: [node["Status"] for node in self.ask("GET", "nodes")] == ["ready"], 60, "the worker")

    def _bootstrapped(self) -> bool:
        try:
            answer = requests.post(f"{self.nomad}/v1/acl/bootstrap", json={"BootstrapSecret": _MANAGEMENT}, timeout=5)
        except requests.ConnectionError:
            ended = self._nomad is None or self._nomad.poll() is not None
            assert not ended, (self.directory / "nomad/log").read_text()[-2000:]
            return False
        return answer.ok

    def ask(self, method: str, path: str) -> Any:
        answer = requests.request(method, f"{self.nomad}/v1/{path}", headers={"X-Nomad-Token": _MANAGEMENT}, timeout=10)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def _made(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(mode=0o700)
        return path

    def close(self) -> None:
        for target in self._targets:
            target.close()
        if self._nomad is not None and self._nomad.poll() is None:
            for job in self.ask("GET", "jobs"):
                self.ask("DELETE", f"job/{job['ID']}?purge=true")
            ends = ("complete", "failed", "lost")
            eventually(
                lambda: all(one["ClientStatus"] in ends for one in self.ask("GET", "allocations")), 30, "the end of all tasks"
            )
            self._nomad.terminate()
            self._nomad.wait(30)
            for line in reversed(Path("/proc/mounts").read_text().splitlines()):
                if line.split()[1].startswith(str(self.directory)):
                    subprocess.run(["umount", "--lazy", line.split()[1]], check=True)
        self.vault.stop()
        self.consul.stop()


@pytest.fixture(params=["identities", "tokens"])
def cloud(request: pytest.FixtureRequest, public_path: Path, free_port: Callable[[], int]) -> Iterator[Cloud]:
    """Twice: with workload identities, and as up to Nomad 1.9 with a token of the Nomad server's own."""
    version = subprocess.run([os.environ["NOMAD_LIVE_BIN"], "version"], capture_output=True, text=True, check=True).stdout
    if request.param == "tokens" and not version.startswith("Nomad v1.9"):
        pytest.skip("this Nomad knows workload identities only")
    running = Cloud(public_path, free_port, identities=request.param == "identities")
    try:
        running.start()
        yield running
    finally:
        running.close()


def test_the_example_runs_is_found_and_shows_its_secret(cloud: Cloud, request: pytest.FixtureRequest) -> None:
    eventually(lambda: cloud.example.health().status is HealthStatus.HEALTHY, 120, "the example")
    token = rendered.value("file:consul-template-consul-token")
    found = requests.get(
        f"{cloud.consul.url}/v1/health/service/example-server?passing", headers={"X-Consul-Token": token}, timeout=10
    ).json()
    (service,) = [one["Service"] for one in found]
    page = requests.get(f"http://{service['Address']}:{service['Port']}/", timeout=10).text
    assert "<h1>Hello from Vault</h1>" in page
    issued = [one for one in cloud.consul.call("GET", "/v1/acl/tokens") if one.get("AuthMethod") == "nomad-workloads"]
    assert bool(issued) == ("identities" in request.node.name)
    assert not converge(cloud.example, cloud.folder("nomad"), secrets=rendered.Secrets())
