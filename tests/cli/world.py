"""A host: a config repo with an author, an agent.toml, and perhaps the agent itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

DEADLINE = 60.0


def eventually(what: Callable[[], object]) -> None:
    """Fails when it does not become true."""
    ends = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < ends, "did not happen in time"
        time.sleep(0.02)


class World:
    """`repo` is the author's clone, whose pushes go to a bare repository; `pages` is what one target of kind files publishes to."""

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self.repo = path / "author"
        self.bare = path / "config.git"
        self.pages = path / "pages"
        self.toml = path / "agent.toml"
        self.url = f"http://127.0.0.1:{port}"
        self._agent: subprocess.Popen[bytes] | None = None
        subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", self.bare], check=True)
        subprocess.run(["git", "clone", "--quiet", self.bare, self.repo], check=True, capture_output=True)
        self.configure()

    def configure(self, targets: str = "", **environment: str) -> None:
        """agent.toml; `targets` instead of the one that publishes pages."""
        more = "\n".join(f"{name} = {value}" for name, value in environment.items())
        self.toml.write_text(
            f'state = "{self.path}/state"\n[serve]\nlisten = "{self.url.removeprefix("http://")}"\n'
            f'[environments.live]\nsource = "{self.bare}"\n{more}\n{targets or self.target}'
        )

    @property
    def target(self) -> str:
        return f'[[environments.live.targets]]\nkind = "files"\nname = "pages"\ndirectory = "{self.pages}"\n'

    def push(self, files: dict[str, str | None]) -> str:
        """Commits and pushes; None takes a file away. Gives the sha."""
        for name, text in files.items():
            file = self.repo / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True) if text is None else file.write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", f"Change {', '.join(files)}")
        self._git("push", "--quiet", "origin", "HEAD:main")
        return self.head

    @property
    def head(self) -> str:
        return self._git("rev-parse", "HEAD").strip()

    def published(self, name: str) -> str | None:
        file = self.pages / "current" / name
        return file.read_text() if file.exists() else None

    def serve(self, *program: str) -> None:
        """Starts the agent, and waits until it made its token. `program` are options of Python instead of `-m gitops_agent`."""
        command = [sys.executable, *(program or ("-m", "gitops_agent")), "serve", "--config", self.toml]
        with (self.path / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen(command, stderr=log)
        eventually(self._has_looked)

    def stop(self) -> int:
        if self._agent is None:
            return 0
        self._agent.send_signal(signal.SIGTERM)
        return self._agent.wait(DEADLINE)

    def _has_looked(self) -> bool:
        assert self._agent is not None
        assert self._agent.poll() is None, (self.path / "agent.log").read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", self.repo, *arguments], check=True, capture_output=True, text=True)
        return done.stdout
