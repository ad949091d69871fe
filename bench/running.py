"""The agent that is measured, between git over HTTP, a Gitea-shaped server, nginx, and Consul behind a counting proxy."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from bench.stage import NGINX_CONF, CountingProxy, ask, consul, free_port, nginx
from tests.fakes.gitea import FakeGitea
from tests.gitserver import GitServer
from tests.worker.running import REPOSITORY, TOKEN, Running

KEYS = 1000


class Answers:
    """Asks a page all the time, each time over a new connection, and notes what was answered when."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopped = threading.Event()
        self.seen: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Answers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stopped.is_set():
            began = time.time()
            self.seen.append((began, ask(self._url)))
            time.sleep(0.0005)

    def first(self, text: str) -> float:
        return next(moment for moment, answer in self.seen if answer == text)

    def last_other(self, text: str) -> float:
        return max(moment for moment, answer in self.seen if answer != text)


class Bench:
    def __init__(self, base: Path, rounds: int, stack: ExitStack) -> None:
        self.base = base
        self.rounds = rounds
        self.git_server = GitServer(base / "git", TOKEN)
        stack.callback(self.git_server.stop)
        self.gitea = stack.enter_context(FakeGitea())
        self.port = free_port()
        self.directory = base / "nginx"
        self.directory.mkdir()
        self.url = stack.enter_context(nginx(self.directory, self.port))
        self.consul_port = stack.enter_context(consul(base))
        self.proxy = stack.enter_context(CountingProxy(self.consul_port))
        self.agent = Running(base, self.git_server, self.gitea, free_port())
        stack.callback(self.agent.stop)
        self.agent.configure(targets=self._targets(), poll=3600, resync=86400)
        self.ref = self.git_server.repository(REPOSITORY) / "refs/heads/main"

    def _targets(self) -> str:
        return f"""
[[environments.test.targets]]
kind = "nginx"
name = "nginx"
directory = "{self.directory}"
prefix = "{self.directory}"
[[environments.test.targets]]
kind = "consul"
name = "consul"
address = "http://127.0.0.1:{self.proxy.listen}"
prefix = "bench/"
"""

    def conf(self, version: str) -> str:
        return NGINX_CONF.format(directory=self.directory, port=self.port, version=version)

    def keys(self, value: str) -> str:
        return "".join(f"key-{number:04}: {value}-{number}\n" for number in range(KEYS))

    def push(self, files: dict[str, str]) -> tuple[str, float]:
        """The commit, and when its ref was moved."""
        sha = self.agent.author.push(files)
        return sha, self.ref.stat().st_mtime

    def said(self, sha: str, context: str = "gitops/test") -> float:
        """When Gitea got the commit's final status."""
        self.agent.settled(sha)
        posts = [request for request in self.gitea.requests if request.method == "POST" and request.path.endswith(sha)]
        return next(post.at for post in posts if post.body["context"] == context and post.body["state"] == "success")

    def last_run(self) -> tuple[float, str]:
        """Seconds of the newest finished run, and its id."""
        run = next(run for run in self.agent.api("/runs")["runs"] if run["ended"])
        return (datetime.fromisoformat(run["ended"]) - datetime.fromisoformat(run["started"])).total_seconds(), run["id"]
