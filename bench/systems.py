"""Every other system: one changed Compose service, 200 Vault policies, and 1,000 objects of several kinds in one repository."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.rows import Row, p50
from bench.running import Bench
from bench.stage import CountingProxy, free_port, pss
from tests.targets.compose.engine import IMAGE, clear, make_images
from tests.targets.vault.server import VaultServer
from tests.worker.running import eventually

SERVICES = 5
POLICIES = 200
_SERVICE = """\
  {name}:
    image: {image}:1
    init: true
    stop_grace_period: 0s
    command: [sleep, '1000']
    environment: {{VERSION: '{version}'}}
"""


@contextmanager
def vault(base: Path) -> Iterator[VaultServer]:
    directory = Path(tempfile.mkdtemp(prefix="vault-", dir=base))
    server = VaultServer(shutil.which("bao") or "bao", directory, free_port)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def project() -> Iterator[str]:
    make_images()
    name = f"gitops-agent-bench-{uuid.uuid4().hex[:8]}"
    try:
        yield name
    finally:
        clear(name)


class Systems:
    """The agent again, with more targets: `kinds` says which of them take part."""

    def __init__(self, bench: Bench, stack: ExitStack) -> None:
        self.bench = bench
        name = stack.enter_context(project())
        self.server = stack.enter_context(vault(bench.base))
        self.proxy = stack.enter_context(CountingProxy(urlsplit(self.server.url).port or 0))
        token = bench.base / "vault-token"
        token.write_text(self.server.root)
        agent = bench.agent
        self._targets = {
            "consul": agent.target("consul", "consul", address=f"http://127.0.0.1:{bench.proxy.listen}", prefix="mixed/"),
            "vault": agent.target("vault", "vault", address=f"http://127.0.0.1:{self.proxy.listen}", token_file=str(token)),
            "files": agent.target("files", "files", directory=f"{bench.base}/files"),
            "compose": agent.target("compose", "compose", directory=f"{bench.base}/compose", project=name, settle=0),
        }

    def take_part(self, *kinds: str) -> None:
        self.bench.agent.stop()
        self.bench.agent.configure(targets="".join(self._targets[kind] for kind in kinds), poll=3600, resync=86400)
        self.bench.agent.start()

    def push(self, files: Mapping[str, str]) -> float:
        """Seconds of the run that a push brought about."""
        sha, _ = self.bench.push(dict(files))
        self.bench.agent.settled(sha, timeout=60)
        return self.bench.last_run()[0]

    def sync(self) -> float:
        """Seconds of a whole run that finds nothing to do."""
        before = self.bench.last_run()[1]
        self.bench.agent.api("/environments/test/sync", {})
        eventually(lambda: self.bench.last_run()[1] != before)
        eventually(lambda: self.bench.agent.environment()["current"] is None)
        return self.bench.last_run()[0]


def with_systems(measure: Callable[[Systems], Iterator[Row]]) -> Callable[[Bench], Iterator[Row]]:
    """Runs them for as long as `measure` lasts."""

    def measured(bench: Bench) -> Iterator[Row]:
        with ExitStack() as stack:
            yield from measure(Systems(bench, stack))
            bench.agent.stop()

    return measured


def services(version: str) -> str:
    """Of the last service alone the version differs."""
    versions = {f"service-{number}": "0" for number in range(SERVICES - 1)} | {"last": version}
    listed = "".join(_SERVICE.format(name=name, image=IMAGE, version=value) for name, value in versions.items())
    return f"services:\n{listed}"


@with_systems
def compose(systems: Systems) -> Iterator[Row]:
    systems.take_part("compose")
    systems.push({"compose/compose.yaml": services("0")})
    beside = systems.bench.base / "by-hand"
    beside.mkdir()
    with project() as name:
        up = ["docker", "compose", "--project-name", name, "--project-directory", str(beside), "up", "--detach"]
        raw_changed, raw_unchanged, changed, unchanged = [], [], [], []
        for number in range(max(3, systems.bench.rounds // 3) + 1):
            (beside / "compose.yaml").write_text(services(f"v{number}"))
            raw_changed.append(timed_command(up))
            raw_unchanged.append(timed_command(up))
            changed.append(systems.push({"compose/compose.yaml": services(f"v{number}")}))
            unchanged.append(systems.sync())
    # The first time by hand makes the whole project.
    yield Row(f"1 of {SERVICES} Compose services changed, whole run, p50", p50(changed[1:]), "raw + 200", p50(raw_changed[1:]))
    yield Row("unchanged Compose project, whole run, p50", p50(unchanged[1:]), "≤ 100", p50(raw_unchanged[1:]))


def timed_command(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def policies(version: str) -> dict[str, str]:
    text = 'path "kv/data/bench/{number}/{version}" {{\n  capabilities = ["read"]\n}}\n'
    return {f"vault/policies/bench-{number:03}.hcl": text.format(number=number, version=version) for number in range(POLICIES)}


def raw_policies(server: VaultServer, version: str, *, write: bool) -> float:
    """Seconds to list the policies and read or write 200 of them, over one connection."""
    headers = {"X-Vault-Token": server.root}
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    started = time.perf_counter()

    def call(method: str, path: str, body: object = None) -> None:
        connection.request(method, f"/v1/sys/policies/acl{path}", json.dumps(body) if body else None, headers)
        connection.getresponse().read()

    call("LIST", "")
    for path, text in policies(version).items():
        call("PUT" if write else "GET", f"/{Path(path).stem}", {"policy": text} if write else None)
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


@with_systems
def vault_policies(systems: Systems) -> Iterator[Row]:
    systems.take_part("vault")
    systems.push(policies("0"))
    rounds = range(max(3, systems.bench.rounds // 3))
    changed = [systems.push(policies(f"v{number}")) for number in rounds]
    before = len(systems.proxy.requests)
    unchanged = [systems.sync() for _ in rounds]
    calls = (len(systems.proxy.requests) - before) / len(unchanged)
    raw_unchanged = [raw_policies(systems.server, "v", write=False) for _ in rounds]
    raw_changed = [raw_policies(systems.server, f"raw{number}", write=True) for number in rounds]
    yield Row(f"{POLICIES} Vault policies changed, whole run, p50", p50(changed), "", p50(raw_changed))
    yield Row(f"{POLICIES} Vault policies unchanged, whole run, p50", p50(unchanged), "", p50(raw_unchanged))
    yield Row("requests to Vault of such a run", calls, f"{POLICIES} + few", unit="")


@with_systems
def mixed(systems: Systems) -> Iterator[Row]:
    systems.take_part("vault", "consul", "files")

    def everything(version: str) -> dict[str, str]:
        keys = "".join(f"key-{number:03}: {version}-{number}\n" for number in range(600))
        files = {f"files/{number:03}.conf": f"{version} {number}\n" for number in range(1000 - POLICIES - 600)}
        return {**policies(version), "consul/kv.yaml": keys, **files}

    systems.push(everything("mixed"))
    rounds = range(max(3, systems.bench.rounds // 3))
    changed = [systems.push(everything(f"mixed{number}")) for number in rounds]
    unchanged = [systems.sync() for _ in rounds]
    yield Row("1000 objects of 3 kinds, all changed, whole run, p50", p50(changed), "≤ 5000")
    yield Row("1000 objects of 3 kinds, unchanged, whole run, p50", p50(unchanged), "≤ 300")
    yield Row("memory after all this, renderer and git included (PSS)", pss(systems.bench.agent.pid), "≤ 140", unit="MiB")
