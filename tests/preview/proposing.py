"""Somebody who opens pull requests against the repository of a running agent, and reads what it says of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.gitserver import git
from tests.worker.running import REPOSITORY, TOKEN, Running, eventually

BOT, ANN = "gitops-agent", "ann"
MARKER = "<!-- gitops-agent preview of test -->"
Files = Mapping[str, str | bytes | None]


class Proposals:
    """`agent.configure` is called by the test; `settings` are those of [environments.test.previews]."""

    def __init__(self, agent: Running) -> None:
        self.agent = agent
        gitea = agent.gitea
        gitea.add_token(TOKEN, "write:repository", "write:issue", "read:user")
        gitea.owners[TOKEN] = BOT
        gitea.admins.add(BOT)
        gitea.add_user(ANN, "password-of-ann", admin=True)

    def start(self, *, targets: str = "", environment: Mapping[str, object] | None = None, **settings: object) -> None:
        """`environment`: settings of [environments.test]."""
        self.configure(targets=targets, environment=environment, **settings)
        self.agent.start()

    def configure(self, *, targets: str = "", environment: Mapping[str, object] | None = None, **settings: object) -> None:
        table = {"poll": 1, "pause": 0, **settings}
        lines = "\n".join(f"{name} = {value!r}".replace("'", '"') for name, value in table.items())
        previews = f"[environments.test.previews]\n{lines}\n"
        self.agent.configure(targets=previews + (targets or self.agent.target("pages")), **(environment or {}))

    def branch(self, files: Files, name: str = "change", *, fork: Path | None = None) -> str:
        """A commit on top of what the author has, pushed to a branch of its own; the author goes back to where they were."""
        author = self.agent.author
        git("checkout", "--quiet", "-B", "proposed", at=author.clone)
        sha = author.commit(files, "propose")
        git("push", "--quiet", "--force", fork or "origin", f"HEAD:refs/heads/{name}", at=author.clone)
        git("checkout", "--quiet", author.branch, at=author.clone)
        return sha

    def open_tree(self, tree: str) -> tuple[int, str]:
        """Of a tree that no work tree could be made of."""
        clone = self.agent.author.clone
        sha = git("commit-tree", tree, "-p", "HEAD", "-m", "propose", at=clone)
        git("push", "--quiet", "--force", "origin", f"{sha}:refs/heads/change", at=clone)
        return self.request("change"), sha

    def open(self, files: Files, name: str = "change", *, fork: Path | None = None) -> tuple[int, str]:
        """Its number and its head."""
        sha = self.branch(files, name, fork=fork)
        return self.request(f"ann:{name}" if fork else name), sha

    def request(self, head: str) -> int:
        return int(self.ask("POST", "/pulls", {"head": head, "base": "main", "title": "Please"})["number"])

    def ask(self, method: str, path: str, form: object = None) -> Any:
        url = f"{self.agent.gitea.url}/api/v1/repos/{REPOSITORY}{path}"
        answer = requests.request(method, url, json=form, auth=(ANN, "password-of-ann"), timeout=10)
        assert answer.ok, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def comments(self, number: int) -> list[tuple[str, str]]:
        """Who says what."""
        return [(row["user"]["login"], row["body"]) for row in self.agent.repository.comments if row["number"] == number]

    def comment(self, number: int) -> str:
        """The agent's, of which there must not be two; empty while there is none."""
        own = [body for user, body in self.comments(number) if user == BOT]
        assert len(own) < 2, own
        return own[0] if own else ""

    def says(self, number: int, text: str, timeout: float = 60) -> str:
        eventually(lambda: text in self.comment(number), timeout, what=f"{text!r} in: {self.comment(number)}\n{self.log()[-3000:]}")
        return self.comment(number)

    def plan(self, sha: str) -> list[tuple[str, str]]:
        return self.agent.gitea.statuses(REPOSITORY, sha, "gitops/plan")

    def is_(self, sha: str, state: str, timeout: float = 60) -> str:
        """Waits for the state of the plan's status; its words."""
        eventually(
            lambda: self.plan(sha) and self.plan(sha)[-1][0] == state, timeout, what=f"{self.plan(sha)} {self.log()[-3000:]}"
        )
        return self.plan(sha)[-1][1]

    def log(self) -> str:
        return self.agent.log.read_text()
