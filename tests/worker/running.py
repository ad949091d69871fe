"""A whole agent as a process of its own, between a real git server, a Gitea-shaped server and directories it publishes to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fakes.gitea import FakeGitea
from tests.gitserver import Author, GitServer

REPOSITORY = "ops/config"
TOKEN = "bot-token-of-the-agent"
FINAL = {"success", "failure", "error", "skipped"}


def eventually(condition: Callable[[], Any], timeout: float = 60, what: str = "", log: Path | None = None) -> Any:
    """The first true answer of `condition`; fails the test when there is none in time, with what `log` says then."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not in {timeout} s: {what or condition}; {log.read_text() if log else ''}"
        time.sleep(0.02)


class Running:
    """`start` may be called again after `kill` or `stop`: the state directory stays."""

    def __init__(self, path: Path, git_server: GitServer, gitea: FakeGitea, port: int, environment: str = "test") -> None:
        self.path = path
        self.name = environment
        self.git_server = git_server
        self.gitea = gitea
        self.author = Author(path / "author", git_server.repository(REPOSITORY))
        self.repository = gitea.add_repository(REPOSITORY, git=git_server.repository(REPOSITORY))
        gitea.add_token(TOKEN)
        self.port = port
        self.log = path / "agent.log"
        self._process: subprocess.Popen[bytes] | None = None
        (path / "bot-token").write_text(TOKEN)
        (path / "webhook-secret").write_text("secret-of-the-webhook")
        self.configure()

    def configure(self, *, targets: str = "", refs: bool = True, **settings: object) -> None:
        """Writes agent.toml; without `targets` there is one, `pages`, of kind files."""
        refs_line = f'refs = "{self.git_server.repository(REPOSITORY)}"' if refs else ""
        more = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
        (self.path / "agent.toml").write_text(f"""
state = "{self.path}/state"
[serve]
listen = "127.0.0.1:{self.port}"
[environments.{self.name}]
source = "{self.git_server.url(REPOSITORY)}"
gitea = "{self.gitea.url}"
token_file = "{self.path}/bot-token"
webhook_secret_file = "{self.path}/webhook-secret"
{refs_line}
{more}
{targets or self.target("pages")}
""")

    def target(self, name: str, kind: str = "files", **settings: object) -> str:
        settings = settings if "directory" in settings or kind != "files" else {"directory": f"{self.path}/{name}", **settings}
        more = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
        return f"""
[[environments.{self.name}.targets]]
kind = "{kind}"
name = "{name}"
{more}
"""

    def published(self, target: str, file: str) -> str | None:
        try:
            return (self.path / target / "current" / file).read_text()
        except OSError:
            return None

    def start(self, *, ready: bool = True) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gitops_agent", "serve", "--config", self.path / "agent.toml"],
                stdout=log,
                stderr=log,
                cwd=self.path,
                env={**os.environ, "PYTHONWARNINGS": "error", "PYTHONFAULTHANDLER": "1"},
            )
        if ready:
            eventually(self.ready, what="ready", log=self.log)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        return self._ask("/readyz")[0] == 200

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; gives the exit status."""
        if self._process is None or self._process.poll() is not None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # so that it says where it hangs
            self._process.wait()
            raise AssertionError(self.log.read_text()) from None

    def api(self, path: str, body: object = None) -> Any:
        token = (self.path / "state/token").read_text().strip()
        status, answer = self._ask(f"/api/v1{path}", {"Authorization": f"Bearer {token}"}, body)
        assert status < 300, (status, answer)
        return json.loads(answer)

    def environment(self) -> Any:
        return self.api(f"/environments/{self.name}")

    def state(self, sha: str, context: str = "") -> str:
        """The newest state Gitea has of a commit; empty when none."""
        said = self.gitea.statuses(REPOSITORY, sha, context or f"gitops/{self.name}")
        return said[-1][0] if said else ""

    def settled(self, sha: str, state: str = "success", timeout: float = 20) -> None:
        eventually(lambda: self.state(sha) == state, timeout, what=f"{sha[:10]} {state}: {self.gitea.statuses(REPOSITORY, sha)}")

    def _ask(self, path: str, headers: dict[str, str] | None = None, body: object = None) -> tuple[int, str]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json", **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""
