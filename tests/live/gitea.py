"""A real Gitea, named by the environment: GITEA_LIVE (its address), GITEA_LIVE_USER and GITEA_LIVE_PASSWORD of an administrator.

Everything made there has a random name; nothing is deleted, so that people can look at it afterwards. GITEA_LIVE_STOP and
GITEA_LIVE_START may name shell commands that stop it and start it again, GITEA_LIVE_REPOSITORIES its directory of bare repositories
on this host: tests that need them are skipped without.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests


@dataclass
class LiveGitea:
    url: str = field(default_factory=lambda: os.environ["GITEA_LIVE"].rstrip("/"))
    user: str = field(default_factory=lambda: os.environ["GITEA_LIVE_USER"])
    password: str = field(default_factory=lambda: os.environ["GITEA_LIVE_PASSWORD"], repr=False)

    def ask(self, method: str, path: str, json: Any = None, auth: tuple[str, str] | None = None) -> Any:
        answer = requests.request(
            method, f"{self.url}/api/v1{path}", json=json, auth=auth or (self.user, self.password), timeout=30
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def version(self) -> str:
        return str(self.ask("GET", "/version")["version"])

    def token(self, *scopes: str, user: tuple[str, str] | None = None) -> str:
        owner = user or (self.user, self.password)
        form = {"name": f"t-{secrets.token_hex(6)}", "scopes": list(scopes)}
        return str(self.ask("POST", f"/users/{owner[0]}/tokens", form, auth=owner)["sha1"])

    def stranger(self) -> str:
        """A token, with all it may need, of somebody who may not see private repositories of others."""
        name, password = f"stranger-{secrets.token_hex(4)}", secrets.token_hex(12)
        form = {"username": name, "password": password, "email": f"{name}@example.org", "must_change_password": False}
        self.ask("POST", "/admin/users", form)
        return self.token("write:repository", user=(name, password))

    def repository(self) -> str:
        """A new private repository; `owner/name`."""
        form = {"name": f"config-{secrets.token_hex(4)}", "private": True, "default_branch": "main"}
        return str(self.ask("POST", "/user/repos", form)["full_name"])

    def history(self, repository: str, sha: str, context: str | None = None) -> list[str]:
        """The states said of a commit, oldest first."""
        rows = self.ask("GET", f"/repos/{repository}/statuses/{sha}?limit=50&sort=highestindex")
        return [row["status"] for row in rows if context in (None, row["context"])]

    def combined(self, repository: str, sha: str) -> dict[str, Any]:
        """What Gitea shows beside the commit."""
        return dict(self.ask("GET", f"/repos/{repository}/commits/{sha}/status?limit=50"))

    def stop(self) -> None:
        _shell("GITEA_LIVE_STOP")

    def start(self) -> None:
        _shell("GITEA_LIVE_START")


def _shell(name: str) -> None:
    # Without the quiet git of our tests: Gitea writes to git's global configuration, and as root that would replace /dev/null.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(os.environ[name], shell=True, check=True, env=clean, timeout=60)


@dataclass
class Clone:
    """A work tree that pushes with a token, as a person's would."""

    directory: Path
    remote: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        header = f"http.extraHeader=Authorization: token {self.token}"
        command = ["git", "-C", str(self.directory), "-c", header, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def push(self, text: str, file: str = "pages/index.html") -> str:
        """Commits and pushes a change; the commit."""
        path = self.directory / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Say {text}")
        self.send()
        return self.git("rev-parse", "HEAD")

    def send(self, *options: str) -> None:
        self.git("push", "--quiet", *options, self.remote, "HEAD:main")
