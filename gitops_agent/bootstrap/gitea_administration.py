"""What only an administrator of Gitea may do: by Gitea's own command in its container, because whoever may run commands there is
one, or, where somebody names a file with a login, by that."""

from __future__ import annotations

import base64
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitops_agent.api import Api
from gitops_agent.bootstrap.blueprint import Owner
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.made_secrets import password
from gitops_agent.errors import ApplyFailed, Refused
from gitops_agent.secret import remember
from gitops_agent.secret.files import read_secret

PASSWORD = "gitea-admin"  # noqa: S105 -- a name
_TOKEN = re.compile(r"^[0-9a-f]{40}$", re.MULTILINE)
_SCOPES = "write:admin,write:organization,write:repository,write:user"
_NAMED = "gitops-agent-bootstrap"
_PAGE = 50


class Administration(ABC):
    @abstractmethod
    def people(self) -> set[str]:
        """Names of users, in lower case."""

    @abstractmethod
    def create(self, owner: Owner) -> None:
        """Another administrator, whose password nobody knows."""

    @abstractmethod
    def issue(self, user: str, name: str, scopes: str) -> str:
        """A new token; the name gets an end of its own, because Gitea refuses one that it has had."""

    @abstractmethod
    @contextmanager
    def api(self) -> Iterator[Api]:
        """Gitea's API with an administrator's rights, for as long as that."""


def administration(ground: Ground) -> Administration:
    """Raises Refused where the file that was named holds no login."""
    path = ground.credentials.gitea_admin
    return ByCommand(ground) if path is None else ByLogin(ground, *login(path))


def login(path: Path) -> tuple[str, str]:
    """Name and password. Raises Refused."""
    name, colon, secret = read_secret(path).partition(":")
    if not (name and colon and secret) or "\n" in secret:
        raise Refused(f"{path} holds no login of Gitea: one line, NAME:PASSWORD")
    remember(secret, str(path))
    return name, secret


class ByCommand(Administration):
    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._owner = ground.blueprint.facts.owner.name

    def people(self) -> set[str]:
        """As the table that Gitea prints has them in its second column."""
        rows = [line.split() for line in self._run("list").splitlines()]
        return {row[1].lower() for row in rows if len(row) > 4 and row[0].isdigit()}

    def create(self, owner: Owner) -> None:
        who = ["--username", owner.name, "--email", owner.email]
        self._run("create", *who, "--admin", "--random-password", "--must-change-password=false")

    def issue(self, user: str, name: str, scopes: str) -> str:
        words = ["--username", user, "--raw", "--scopes", scopes, "--token-name", f"{name}-{secrets.token_hex(4)}"]
        found = _TOKEN.search(self._run("generate-access-token", *words))
        if found is None:
            raise ApplyFailed("gitea made no token")
        remember(found[0])
        return found[0]

    @contextmanager
    def api(self) -> Iterator[Api]:
        """With a token of the owner's, which is taken away afterwards."""
        token = self.issue(self._owner, _NAMED, _SCOPES)
        try:
            yield self._ground.api("gitea", {"Authorization": f"token {token}"})
        finally:
            self._forget_tokens()

    def _forget_tokens(self) -> None:
        """Also those of earlier bootstraps that were killed. Gitea wants the password for that; with another one they stay."""
        api = _with_password(self._ground, self._owner, self._ground.secrets.read(PASSWORD))
        listed = api.call("GET", f"/api/v1/users/{self._owner}/tokens", params={"limit": _PAGE}, accept=(401, 403))
        for token in listed.data if listed.status == 200 else ():
            if token["name"].startswith(_NAMED):
                api.call("DELETE", f"/api/v1/users/{self._owner}/tokens/{token['id']}", accept=(404,))

    def _run(self, *arguments: str) -> str:
        return self._ground.execute("gitea", ["gitea", "admin", "user", *arguments], user="git")


class ByLogin(Administration):
    def __init__(self, ground: Ground, name: str, secret: str) -> None:
        self._api = _with_password(ground, name, secret)
        answer = self._api.call("GET", "/api/v1/user", accept=(401, 403))
        if answer.status != 200 or not answer.data["is_admin"]:
            raise Refused(f"{ground.credentials.gitea_admin} is no login of an administrator of Gitea's")

    def people(self) -> set[str]:
        found: list[str] = []
        page = 1
        while listed := self._api.call("GET", "/api/v1/admin/users", params={"limit": _PAGE, "page": page}).data:
            found += [str(user["login"]).lower() for user in listed]
            page += 1
        return {*found}

    def create(self, owner: Owner) -> None:
        body = {"username": owner.name, "email": owner.email, "password": password(), "must_change_password": False}
        self._api.call("POST", "/api/v1/admin/users", json=body)
        more = {"source_id": 0, "login_name": owner.name, "admin": True}
        self._api.call("PATCH", f"/api/v1/admin/users/{owner.name}", json=more)

    def issue(self, user: str, name: str, scopes: str) -> str:
        body = {"name": f"{name}-{secrets.token_hex(4)}", "scopes": scopes.split(",")}
        made = str(self._api.call("POST", f"/api/v1/users/{user}/tokens", json=body).data["sha1"])
        remember(made)
        return made

    @contextmanager
    def api(self) -> Iterator[Api]:
        yield self._api


def _with_password(ground: Ground, name: str, secret: str) -> Api:
    basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
    remember(basic)
    return ground.api("gitea", {"Authorization": f"Basic {basic}"})
