"""A mini-cloud of a test's own on the real Docker Engine, brought up by `gitops-agent bootstrap` as people run it."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.bootstrap import images
from tests.conformance import turns
from tests.gitserver import git
from tests.targets.compose.engine import clear, containers, docker, names

DOMAIN = "from-zero.test"
OWNER = f"ann@{DOMAIN}"
_WITHOUT = ("consul-template", "nomad-server", "concourse-web", "concourse-worker", "grafana", "loki", "promtail")
_HOSTNAMES: tuple[dict[str, Any], ...] = (
    {"name": "git", "service": "gitea", "port": 3000, "body": 0, "streaming": True, "probe": "/api/healthz"},
    {"name": "consul", "service": "consul", "port": 8500, "streaming": True, "probe": "/v1/status/leader"},
    {"name": "vault", "service": "vault", "port": 8200, "probe": "/v1/sys/health"},
    {"name": "pgadmin", "service": "pgadmin", "port": 80, "probe": "/misc/ping"},
    {"name": "metrics", "service": "prometheus", "port": 9090, "probe": "/-/healthy"},
    {"name": "deploy", "service": "gitops-agent", "port": 8555, "streaming": True, "probe": "/healthz"},
)
_BEGUN = re.compile(r"· +([0-9]+)/[0-9]+ (.*?)  ")


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


class MiniCloud:
    """`clone` is the owner's work tree, `root` where everything lies, `keys` the file with Vault's keys."""

    def __init__(self, directory: Path, name: str, ports: Callable[[], int], tags: dict[str, str]) -> None:
        self.project = name
        self.root = directory / "root"
        self.clone = directory / "config"
        self.keys = directory / "stick/vault.json"
        self.https = ports()
        self._home = directory
        self.values: dict[str, Any] = {
            "project": name,
            "root": str(self.root),
            "owner": {"name": "admin1", "email": OWNER},
            "images": tags,
            "without": list(_WITHOUT),
            "features": {"openbao": True},
            "publish": {"address": "127.0.0.1", "http": ports(), "https": self.https, "nomad_rpc": ports()},
            "hostnames": list(_HOSTNAMES),
            "required_statuses": [],
            "limits": {name: {"memory": "512m", "cpus": 1, "pids": 256} for name in ("postgres", "gitea", "agent")},
        }
        self.keys.parent.mkdir()
        assert self.run("init", str(self.clone), "--domain", DOMAIN).status == 0
        (self.clone / "consul-server/ui.hcl").unlink()  # the Consul that can be installed here is older than `ui_config`
        git("init", "--quiet", "--initial-branch=main", at=self.clone)
        self.commit(self.values)

    def commit(self, values: dict[str, Any]) -> str:
        """A commit with what this mini-cloud has of its own; gives the sha."""
        (self.clone / "values/mini-cloud.yaml").write_text(yaml.safe_dump(values))
        git("add", "--all", at=self.clone)
        git("commit", "--quiet", "--message", "Say what this mini-cloud is", at=self.clone)
        return self.head

    @property
    def head(self) -> str:
        return git("rev-parse", "HEAD", at=self.clone)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "gitops_agent", *arguments]

    def run(self, *arguments: str) -> Ended:
        done = subprocess.run(self.command(*arguments), cwd=self._home, capture_output=True, text=True, timeout=300, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)

    def bootstrap(self, *more: str, place: Path | None = None) -> Ended:
        """By the owner's clone, unless another place is named."""
        return self.run("bootstrap", str(place or self.clone), "--vault-keys", str(self.keys), *more)

    def killed_bootstrap(self, spared: Collection[str], *, after: float) -> str:
        """Bootstrap, killed so many seconds after it has begun a step whose turn is today and that is not spared. The step's name;
        empty where it came to its end without."""
        command = self.command("bootstrap", str(self.clone), "--vault-keys", str(self.keys))
        with subprocess.Popen(command, cwd=self._home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
            assert running.stdout is not None
            said = []
            for line in running.stdout:
                said.append(line)
                begun = _BEGUN.match(line)
                if begun and int(begun[1]) % turns.EVERY == turns.TODAY and begun[2] not in spared:
                    time.sleep(after)
                    running.kill()
                    return begun[2]
        assert running.returncode == 0, "".join(said)
        return ""

    def lose(self, service: str) -> None:
        """Its container and all that it kept, with whatever else has that mounted."""
        volume = f"{self.project}_{service}-data"
        mounted = docker("ps", "--all", "--quiet", "--filter", f"volume={volume}").split()
        docker("rm", "--force", *mounted)
        docker("volume", "rm", volume)

    def secret(self, name: str) -> str:
        return (self.root / "agent-state/secrets" / name).read_text().strip()

    def put_secret(self, name: str, value: str) -> None:
        (self.root / "agent-state/secrets" / name).write_text(value)

    def agent(self, *arguments: str) -> Ended:
        """What the agent's own program says, asked in its container."""
        command = ["docker", "exec", f"{self.project}-agent-gitops-agent-1", "python3", "-m", "gitops_agent", *arguments]
        command += ["--config", str(self.root / "agent/agent.toml")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)

    def ask(self, name: str, path: str = "/", token: str = "") -> Answer:
        """Through nginx, with a certificate for the name that the mini-cloud's own CA has signed."""
        with self.browser(name) as browser:
            return browser.ask(path, {"Authorization": f"token {token}"} if token else {})

    @contextmanager
    def browser(self, name: str) -> Iterator[Browser]:
        """At one hostname."""
        context = ssl.create_default_context(cafile=str(self.root / "certificates/current/ca.pem"))
        host = f"{name}.{DOMAIN}"
        connection = http.client.HTTPSConnection(host, context=context, timeout=60)
        plain = socket.create_connection(("127.0.0.1", self.https), timeout=60)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        with closing(connection):
            yield Browser(connection, f"https://{host}:{self.https}/")

    def git(self, *arguments: str, at: Path | None = None) -> None:
        """As the owner, over HTTPS through nginx."""
        credentials = f"!f() {{ echo username=admin1; echo password={self.secret('gitea-admin')}; }}; f"
        settings = {"credential.helper": credentials, "http.curloptResolve": f"git.{DOMAIN}:{self.https}:127.0.0.1"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        environment = {**os.environ, "GIT_SSL_CAINFO": str(self.root / "certificates/current/ca.pem")}
        subprocess.run(["git", "-C", str(at or self.clone), *options, *arguments], env=environment, check=True)

    @property
    def url(self) -> str:
        return f"https://git.{DOMAIN}:{self.https}/mini-cloud/config.git"

    def push(self, values: dict[str, Any]) -> str:
        sha = self.commit(values)
        self.git("push", "--quiet", self.url, "HEAD:refs/heads/main")
        return sha

    def main(self) -> str:
        """Where Gitea's main is."""
        said = self.ask("git", "/api/v1/repos/mini-cloud/config/branches/main", self.secret("gitea-admin"))
        return str(said.json["commit"]["id"])

    def status(self, sha: str) -> str:
        """What the agent says of a commit; empty while it says nothing."""
        path = f"/api/v1/repos/mini-cloud/config/commits/{sha}/status"
        said = self.ask("git", path, self.secret("gitea-admin"))
        rows = said.json["statuses"] if said.status == 200 else []
        return next((str(row["status"]) for row in rows if row["context"] == "gitops/mini-cloud"), "")

    def containers(self) -> dict[str, tuple[str, str]]:
        """Id and start of each by its service."""
        found = {**containers(self.project), **containers(f"{self.project}-agent")}
        return {name.removesuffix("-1"): (one["Id"], one["State"]["StartedAt"]) for name, one in found.items()}

    def left(self) -> dict[str, list[str]]:
        """What Docker still has of it."""
        volumes_and_networks = {kind: names(kind, self.project) for kind in ("volume", "network")}
        return {"containers": sorted(self.containers()), **volumes_and_networks}


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Browser:
    """Keeps its cookies, and says where it comes from. As long as the server keeps the connection."""

    def __init__(self, connection: http.client.HTTPSConnection, address: str) -> None:
        self._connection = connection
        self._address = address
        self._cookies: dict[str, str] = {}

    def ask(self, path: str, headers: Mapping[str, str] | None = None, *, form: Mapping[str, str] | None = None) -> Answer:
        """With a form it is posted."""
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())} if self._cookies else {}
        kind = {"Referer": self._address}
        kind |= {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
        body = None if form is None else urlencode(form)
        self._connection.request("GET" if form is None else "POST", path, body, {**(headers or {}), **cookies, **kind})
        response = self._connection.getresponse()
        for said in response.headers.get_all("Set-Cookie") or ():
            name, _, value = said.partition(";")[0].partition("=")
            self._cookies[name] = value
        return Answer(response.status, response.read())


@contextmanager
def mini_cloud(directory: Path, name: str, ports: Callable[[], int]) -> Iterator[MiniCloud]:
    """Nothing of it is left afterwards, whatever happened."""
    try:
        yield MiniCloud(directory, name, ports, images.make(name))
    finally:
        for project in (f"{name}-agent", name):
            clear(project)
        images.remove(name)
        shutil.rmtree(directory / "root", ignore_errors=True)
