"""A Gitea as far as the agent needs one: commit statuses, commits and webhooks of repositories, tokens with scopes, and what the
kind `gitea` looks after.

It does what Gitea 1.26.3 was seen doing, oddities included: tests/test_gitea_recorded.py plays the exchanges recorded there against
it. State survives `stop()` and `start()`, on the same port. Every request is kept, also those answered with trouble.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.fakes import gitea_api
from tests.fakes.gitea_api import ROUTES, Asked
from tests.fakes.gitea_comments import ROUTES as COMMENTS
from tests.fakes.gitea_deliveries import ROUTES as DELIVERIES
from tests.fakes.gitea_http import Handler
from tests.fakes.gitea_inside import ROUTES as INSIDE
from tests.fakes.gitea_people import People
from tests.fakes.gitea_pulls import ROUTES as PULLS
from tests.fakes.gitea_scopes import categories
from tests.fakes.gitea_state import Json, Organisation, Reply, Repository, Request, Trouble
from tests.fakes.http import Server


class FakeGitea:
    handler = Handler

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, frozenset[str]] = {}
        """Their scopes. A user's password is one that may do everything."""
        self.owners: dict[str, str] = {}
        """The user of a token; one without may see all repositories."""
        self.users: set[str] = set()
        self.passwords: dict[str, str] = {}
        self.issued: dict[str, list[tuple[int, str, str]]] = {}
        """Number, name and value of the tokens that a user was given."""
        self.admins: set[str] = set()
        self.organisations: dict[str, Organisation] = {}
        self.moved: dict[str, str] = {}
        """New names of repositories by their old ones."""
        self.numbers = itertools.count(1)
        self.trouble = Trouble()
        self.allowed_hosts = "external"
        self.largest_page = 50
        self.requests: list[Request] = []
        self.changed = threading.Condition()
        self._host = host
        self._port = port
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> FakeGitea:
        handler = type("Handler", (self.handler,), {"fake": self})
        self._server = Server(self._port, handler, self._host)
        self._port = self._server.port
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> FakeGitea:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def add_repository(
        self, name: str, *, commits: Iterable[str] = (), git: Path | None = None, private: bool = True
    ) -> Repository:
        self.repositories[name] = Repository(name, private, git, set(commits))
        return self.repositories[name]

    def add_token(self, token: str, *scopes: str) -> str:
        """A token of the repositories' owner; `write:repository` unless scopes are named."""
        self.tokens[token] = frozenset(scopes or ("write:repository",))
        return token

    def add_user(self, name: str, password: str, *, admin: bool = False) -> None:
        self.users.add(name)
        self.set_password(name, password)
        if admin:
            self.admins.add(name)

    def set_password(self, name: str, password: str) -> None:
        """A password is a token that may do everything; there is one."""
        self.tokens.pop(self.passwords.pop(name, ""), None)
        self.passwords[name] = self.add_token(password, "all")
        self.owners[password] = name

    def issue(self, user: str, name: str, scopes: Iterable[str]) -> str:
        """The value of a new token: by chance, so that one that lost its data never makes a token that somebody knows again."""
        number = self.number()
        token = self.add_token(secrets.token_hex(20), *scopes)
        self.owners[token] = user
        self.issued.setdefault(user, []).append((number, name, token))
        return token

    def number(self) -> int:
        return next(self.numbers)

    def statuses(self, repository: str, sha: str, context: str | None = None) -> list[tuple[str, str]]:
        """(state, description) of a commit's statuses, oldest first."""
        with self.changed:
            rows = self.repositories[repository].statuses.get(sha, [])
            return [(row["status"], row["description"]) for row in rows if context in (None, row["context"])]

    def count(self, method: str, path: str = "") -> int:
        """Requests so far whose path contains `path`."""
        with self.changed:
            return sum(1 for request in self.requests if request.method == method and path in request.path)

    def wait(self, condition: Callable[[], object], timeout: float = 10) -> bool:
        """Until `condition` holds; it is asked after each request."""
        with self.changed:
            return bool(self.changed.wait_for(condition, timeout))

    def answer(self, method: str, url: str, token: str | None, body: bytes) -> Reply:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        with self.changed:
            self.requests.append(Request(method, parts.path, query, _parsed(body), time.time()))
            reply = self._fail() or self._route(method, parts.path, query, token, body)
            if reply.status == 201 and "/statuses/" in parts.path and self.trouble.drop_answers > 0:
                self.trouble.drop_answers -= 1
                reply = Reply(0, cut=True)
            self.changed.notify_all()
        time.sleep(self.trouble.delay)
        return reply

    def _fail(self) -> Reply | None:
        if self.trouble.fail <= 0:
            return None
        self.trouble.fail -= 1
        headers = {"Retry-After": self.trouble.retry_after} if self.trouble.retry_after else {}
        return Reply(self.trouble.status, {"message": "trouble"}, headers)

    def _route(self, method: str, path: str, query: dict[str, str], token: str | None, body: bytes) -> Reply:
        if path == "/v2/" and not token:
            return Reply(401, {"errors": [{"code": "UNAUTHORIZED", "message": ""}]})
        if token and token not in self.tokens:
            return self.problem(401, "invalid username, password or token")
        if (method, path) == ("GET", "/api/v1/version"):
            return Reply(200, {"version": "1.26.3"})
        match = re.fullmatch(r"/api/v1/repos/([^/]+/[^/]+)(/.*)?", path)
        lacking = self._lacking(method, path.removeprefix("/api/v1/"), token)
        if lacking is not None:
            return lacking
        if match is None:
            return self._people(method, path.removeprefix("/api/v1"), query, token, body)
        return self._below(match[1], method, match[2] or "", query, token, body)

    def _below(self, name: str, method: str, path: str, query: dict[str, str], token: str | None, body: bytes) -> Reply:
        if name in self.moved:
            return Reply(301, headers={"Location": f"/api/v1/repos/{self.moved[name]}{path}"})
        repository = self.repositories.get(name)
        if repository is None or not (self.sees(token, repository) or not repository.private):
            return self.problem(404, "not found", errors=None)
        if (method, path) == ("DELETE", ""):
            self._delete(name)
            return Reply(204)
        for allowed, pattern, answer in (*ROUTES, *INSIDE, *PULLS, *COMMENTS, *DELIVERIES):
            found = re.fullmatch(pattern, path)
            if method == allowed and found:
                if not token and (method != "GET" or pattern == "/hooks"):
                    return self.problem(401, "token is required")
                if (method, path) == ("PATCH", "") and "name" in json.loads(body):
                    self._rename(repository, json.loads(body)["name"])
                return answer(self._asked(repository, found.groups(), query, body, token))
        return self.problem(404, "not found", errors=None)

    def _rename(self, repository: Repository, name: str) -> None:
        old = repository.name
        repository.name = self.moved[old] = f"{old.partition('/')[0]}/{name}"
        self.repositories[repository.name] = self.repositories.pop(old)

    def _delete(self, name: str) -> None:
        del self.repositories[name]
        self.moved = {old: new for old, new in self.moved.items() if new != name}

    def shown(self, repository: Repository) -> Json:
        return gitea_api.repository(self._asked(repository, (), {}, b"")).body

    def _asked(
        self, repository: Repository, parts: tuple[str, ...], query: dict[str, str], body: bytes, token: str | None = None
    ) -> Asked:
        user = self.owners.get(token or "", repository.name.partition("/")[0])
        writers = frozenset(user for user in self.users if self._in(user, repository))
        known = frozenset(self.users), writers, user, self.allowed_hosts
        return Asked(self.url, repository, parts, query, body, self.largest_page, self.number, *known)

    def _lacking(self, method: str, path: str, token: str | None) -> Reply | None:
        scopes = self.tokens.get(token or "", frozenset())
        for category in categories(path):
            wanted = f"{'read' if method == 'GET' else 'write'}:{category}"
            if token and not scopes & {wanted, f"write:{category}", "all"}:
                lacks = f"required=[{wanted}], token scope={','.join(sorted(scopes))}"
                return self.problem(403, f"token does not have at least one of required scope(s), {lacks}")
        return None

    def _people(self, method: str, path: str, query: dict[str, str], token: str | None, body: bytes) -> Reply:
        people = People(self, token or "", query, body)
        if path.startswith(("/orgs/", "/teams/")) and method != "GET" and not people.may_own(path):
            return self.problem(403, "Must be an organization owner")
        return people.answer(method, path) or self.problem(404, "not found", errors=None)

    def sees(self, token: str | None, repository: Repository) -> bool:
        return bool(token) and (token not in self.owners or self._in(self.owners[token or ""], repository))

    def _in(self, user: str, repository: Repository) -> bool:
        owner = repository.name.partition("/")[0]
        teams = self.organisations[owner].teams if owner in self.organisations else []
        through = any(
            user in team.members and (not index or repository.name in team.repositories) for index, team in enumerate(teams)
        )
        return user in self.admins or user == owner or through

    def problem(self, status: int, message: str, **more: Json) -> Reply:
        return Reply(status, {**more, "message": message, "url": f"{self.url}/api/swagger"})


def _parsed(body: bytes) -> Json:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
