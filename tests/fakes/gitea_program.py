"""The fake Gitea as a program in a container, as the stack starts Gitea's image: the API and git over HTTP on port 3000, webhooks,
and `gitea admin user …` beside it. Everything is kept in /data, so that it survives the container and is lost with the volume.

    python -m tests.fakes.gitea_program web | admin user list|create|generate-access-token …
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from tests.fakes import git_backend, gitea, gitea_accounts
from tests.fakes.gitea_deliveries import deliver
from tests.fakes.gitea_http import Handler, token
from tests.fakes.gitea_state import Reply

_PORT = 3000
_DATA = Path("/data")
_REPOSITORIES = _DATA / "git/repositories"
_STATE = _DATA / "gitea/state"
_KEPT = ("repositories", "tokens", "owners", "users", "passwords", "issued", "admins", "organisations", "moved")
_INTERNAL = "/api/internal/admin"
_GIT = re.compile(r"/([^/]+/[^/]+)\.git(/.+)")


class _Handler(Handler):
    fake: ClassVar[Program]

    def serve(self) -> None:
        key = token(self.headers.get("Authorization", ""))
        found = _GIT.fullmatch(urlsplit(self.path).path)
        if self.path == _INTERNAL and self.client_address[0] == "127.0.0.1":
            words = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send(self.fake.command(words) if key == _internal_token() else Reply(403))
        elif found:
            self._git(found[1], found[2], key)
        else:
            super().serve()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815 -- the names http.server asks for

    def _git(self, name: str, path: str, key: str | None) -> None:
        if not key:
            self.send(Reply(401, {}, {"WWW-Authenticate": 'Basic realm="Gitea"'}))
            return
        if not self.fake.may(key, name, push="git-receive-pack" in self.path):
            self.send(Reply(403))
            return
        repository = self.fake.repositories[name]
        before = repository.branch("main")
        said = git_backend.answer(self, _REPOSITORIES, f"/{name.lower()}.git{path}", os.environ)
        self.send_response(said.status)
        for field, value in {**said.headers, "Content-Length": str(len(said.content))}.items():
            self.send_header(field, value)
        self.end_headers()
        self.wfile.write(said.content)
        if (after := repository.branch("main")) != before:
            for hook in repository.hooks:
                if hook["active"] and "push" in hook["events"]:
                    deliver(name, hook, self.fake.allowed_hosts, before, after)


class Program(gitea.FakeGitea):
    handler = _Handler

    def __init__(self) -> None:
        super().__init__(_PORT, "")
        self.allowed_hosts = os.environ["GITEA__webhook__ALLOWED_HOST_LIST"]  # noqa: SIM112 -- as Gitea spells it
        _REPOSITORIES.mkdir(parents=True, exist_ok=True)
        _STATE.parent.mkdir(parents=True, exist_ok=True)
        if _STATE.exists():
            kept = pickle.loads(_STATE.read_bytes())
            self.numbers = count(kept.pop("number"))
            vars(self).update(kept)

    def keep(self) -> None:
        """On disk before the answer is sent."""
        number = self.number()
        self.numbers = count(number)
        staged = _STATE.with_suffix(".new")
        staged.write_bytes(pickle.dumps({"number": number, **{name: getattr(self, name) for name in _KEPT}}))
        staged.replace(_STATE)

    def answer(self, method: str, url: str, token: str | None, body: bytes) -> Reply:
        if method == "GET" and url == "/api/healthz":
            return Reply(200, {"status": "pass"})
        reply = super().answer(method, url, token, body)
        with self.changed:
            self.requests.clear()
            for repository in self.repositories.values():
                repository.git = _bare(repository.name)
            if method != "GET":
                self.keep()
        return reply

    def command(self, words: list[str]) -> Reply:
        with self.changed:
            try:
                said = gitea_accounts.command(self, words)
            except ValueError as error:
                return Reply(422, {"said": str(error)})
            self.keep()
            return Reply(200, {"said": said})

    def may(self, key: str | None, name: str, *, push: bool) -> bool:
        """Whether a token may fetch from a repository, or push to its main branch."""
        repository = self.repositories.get(name)
        if repository is None or not key or key not in self.tokens or not self.sees(key, repository):
            return False
        rule = repository.protections.get("main", {})
        allowed = rule.get("push_whitelist_usernames", [])
        scopes = self.tokens[key] & {"all", "write:repository", *(() if push else ("read:repository",))}
        return bool(scopes) and (not push or not rule or self.owners.get(key) in allowed)


def _bare(name: str) -> Path:
    path = _REPOSITORIES / f"{name.lower()}.git"
    if not path.exists():
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", "--template=", path], check=True)
    return path


def _internal_token() -> str:
    file = os.environ["GITEA__security__INTERNAL_TOKEN__FILE"]  # noqa: SIM112 -- as Gitea spells it
    return Path(file).read_text().strip()


def main(words: list[str]) -> int:
    if words == ["web"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        with Program():
            signal.sigwait({signal.SIGTERM, signal.SIGINT})
        return 0
    headers = {"Authorization": f"Bearer {_internal_token()}"}
    request = urllib.request.Request(f"http://127.0.0.1:{_PORT}{_INTERNAL}", json.dumps(words[2:]).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            sys.stdout.write(json.load(answer)["said"] + "\n")
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"Command error: {json.load(error)['said']}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
