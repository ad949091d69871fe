"""Logged in to Concourse, as a local user by the password grant that fly uses, or as a client of its own by client credentials.

A client (`--add-client ID:SECRET`) is the user `client:ID` in a team's roles. Tokens last `--auth-duration` (24 h) and die with the
signing key; there is no refresh, only another login.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from gitops_agent import secret
from gitops_agent.api import Answer, Api
from gitops_agent.errors import Unavailable

_FLY = ("fly", "Zmx5")
"""The client that every Concourse has for fly; its password is public and no secret."""
_SCOPE = "openid profile email federated:id groups"
_EARLY = 60.0
"""Seconds before its end that a token is no longer used."""


@dataclass(frozen=True)
class User:
    """A local user (`--add-local-user`), `local:NAME` in a team's roles."""

    name: str
    password_file: Path


@dataclass(frozen=True)
class Client:
    """A client (`--add-client`), `client:NAME` in a team's roles."""

    name: str
    secret_file: Path


class LoginRefused(Unavailable):
    """Name, password or secret are wrong: the operator mends it."""

    acts = "operator"


class RoleMissing(Unavailable):
    """The role in the team is too small: the operator mends it."""

    acts = "operator"


class Session:
    """One Concourse, one identity. Used by one thread at a time. Its file is read at each login, so it may change.

    Every call raises Unavailable (LoginRefused and RoleMissing among them), and ApplyFailed for what Concourse calls wrong.
    """

    def __init__(self, url: str, identity: User | Client, *, ca_file: Path | None = None, timeout: float = 30) -> None:
        self._api = Api("concourse", url, timeout=timeout, ca_file=ca_file)
        self._identity = identity
        self._token = ""
        self._ends = 0.0

    @property
    def url(self) -> str:
        return self._api.url

    def call(
        self,
        method: str,
        path: str,
        *,
        needs: str,
        json: Any = None,
        data: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """One request below `/api/v1`. `needs` is the role it takes, in words: `role viewer in team main`."""
        statuses = (*accept, 401, 403)

        def ask() -> Answer:
            sent = {**(headers or {}), **self._authorization()}
            return self._api.call(method, f"/api/v1{path}", json=json, data=data, params=params, headers=sent, accept=statuses)

        answer = ask()
        if answer.status == 401:  # ended early: the web node was restarted with another key, or the user was removed
            self._token = ""
            answer = ask()
        if answer.status == 401:
            raise LoginRefused(f"concourse does not know the token that it gave to {self._identity.name}")
        if answer.status == 403:
            raise RoleMissing(f"concourse: {self._identity.name} lacks {needs}")
        return answer

    def lines(self, path: str, *, headers: Mapping[str, str], silence: float) -> Generator[str, None, None]:
        """See `Api.lines`."""
        return self._api.lines(f"/api/v1{path}", headers={**headers, **self._authorization()}, silence=silence)

    def close(self) -> None:
        self._api.close()

    def _authorization(self) -> dict[str, str]:
        if not self._token or time.monotonic() >= self._ends:
            self._log_in()
        return {"Authorization": f"Bearer {self._token}"}

    def _log_in(self) -> None:
        identity = self._identity
        if isinstance(identity, User):
            client = _FLY
            grant = {"grant_type": "password", "username": identity.name, "password": _read(identity.password_file)}
        else:
            client = (identity.name, _read(identity.secret_file))
            grant = {"grant_type": "client_credentials"}
        headers = {
            "Authorization": f"Basic {b64encode(':'.join(quote(part, safe='') for part in client).encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode({**grant, "scope": _SCOPE}).encode()
        answer = self._api.call("POST", "/sky/issuer/token", data=body, headers=headers, accept=(400, 401, 403))
        if answer.status in (400, 401, 403):
            raise LoginRefused(f"concourse refuses the login of {identity.name}: {_said(answer)}")
        try:
            token, lasts = str(answer.data["access_token"]), float(answer.data["expires_in"])
        except (KeyError, TypeError, ValueError):
            raise Unavailable(f"{self.url} is no Concourse: its answer to a login holds no token") from None
        secret.remember(token)
        self._token = token
        self._ends = time.monotonic() + max(lasts - _EARLY, lasts / 2)


def _read(path: Path) -> str:
    try:
        text = path.read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "no text"
        raise Unavailable(f"concourse: {path} cannot be read: {why}") from None
    secret.remember(text, f"concourse: what is in {path}")
    return text


def _said(answer: Answer) -> str:
    data = answer.data if isinstance(answer.data, Mapping) else {}
    text = data.get("error_description") or data.get("error") or answer.text
    return secret.mask(" ".join(str(text).split()))[:200]
