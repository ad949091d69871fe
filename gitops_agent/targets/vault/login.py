"""Where the agent's token comes from: a file, read again when it changes, or AppRole, with one login for each lifetime of a token.

An AppRole token is renewed when two thirds of its lease are over, in the middle of whatever asks for it next. Near its maximum
lifetime Vault grants less and less; then, and when it has expired, the agent logs in again.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_agent import secret
from gitops_agent.errors import Unavailable
from gitops_agent.targets.vault.access import Access

_REFUSED = 300.0
"""Seconds until a secret id that was refused is tried again; Vault locks an AppRole after five failures in a quarter of an hour."""
Post = Callable[[str, Mapping[str, Any], str], "Mapping[str, Any] | None"]
"""Takes path, body and token; gives the `auth` part of the answer, None when Vault refuses."""


class Login(ABC):
    @abstractmethod
    def token(self, post: Post) -> str:
        """Empty where none is configured. Raises Unavailable."""

    def forget(self) -> None:  # noqa: B027 -- a file has nothing to forget
        """Vault does not know the token any more."""

    @property
    @abstractmethod
    def source(self) -> str:
        """Where it comes from, for errors."""


def login(access: Access) -> Login:
    if access.secret_id_file is not None:
        return AppRole(access.auth_path, access.role_id, access.secret_id_file)
    return TokenFile(access.token_file)


class TokenFile(Login):
    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._token = ""

    def token(self, post: Post) -> str:  # noqa: ARG002 -- needs no login
        if self._path is None:
            return ""
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
            if seen != self._seen:
                self._token = _secret(self._path, "token_file")
                self._seen = seen
        except OSError as error:
            raise Unavailable(f"vault: token_file {self._path} cannot be read: {error.strerror}") from None
        return self._token

    @property
    def source(self) -> str:
        return str(self._path or "none is configured")


@dataclass(frozen=True)
class _Lease:
    token: str
    granted: float
    """Seconds that the first lease had; 0 when the token never expires."""
    renew_at: float
    expires: float
    renewable: bool


class AppRole(Login):
    def __init__(self, path: str, role_id: str, secret_id_file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._role_id = role_id
        self._file = secret_id_file
        self._clock = clock
        self._lease: _Lease | None = None
        self._refused: tuple[str, float] = "", 0.0
        """A secret id that Vault did not take, and until when it is not tried again: a few failures lock the AppRole."""

    def token(self, post: Post) -> str:
        lease, now = self._lease, self._clock()
        if lease is not None and lease.granted and now >= lease.renew_at:
            lease = self._lease = self._renewed(lease, post) if lease.renewable and now < lease.expires else None
        if lease is None:
            lease = self._lease = self._logged_in(post)
        return lease.token

    def forget(self) -> None:
        self._lease = None

    @property
    def source(self) -> str:
        return f"AppRole {self._role_id}"

    def _logged_in(self, post: Post) -> _Lease:
        try:
            secret_id = _secret(self._file, "secret_id_file")
        except OSError as error:
            raise Unavailable(f"vault: secret_id_file {self._file} cannot be read: {error.strerror}") from None
        known, until = self._refused
        if secret_id == known and self._clock() < until:
            raise self._refusal()
        auth = post(f"auth/{self._path}/login", {"role_id": self._role_id, "secret_id": secret_id}, "")
        if auth is None:
            self._refused = secret_id, self._clock() + _REFUSED
            raise self._refusal()
        token = str(auth["client_token"])
        secret.remember(token)
        return self._lasting(token, auth, float(auth["lease_duration"]))

    def _refusal(self) -> Unavailable:
        return Unavailable(f"vault refused the login of {self.source} with the secret id in {self._file}")

    def _renewed(self, lease: _Lease, post: Post) -> _Lease | None:
        """None where a new login is due: the token is gone, or near the end of what renewing can give."""
        auth = post("auth/token/renew-self", {}, lease.token)
        if auth is None or float(auth["lease_duration"]) < lease.granted / 2:
            return None
        return self._lasting(lease.token, auth, lease.granted)

    def _lasting(self, token: str, auth: Mapping[str, Any], granted: float) -> _Lease:
        now, duration = self._clock(), float(auth["lease_duration"])
        return _Lease(token, granted, now + duration * 2 / 3, now + duration, bool(auth.get("renewable")))


def _secret(path: Path, setting: str) -> str:
    try:
        text = path.read_text().strip()
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isascii() or not text.isprintable():
        raise Unavailable(f"vault: {setting} {path} holds nothing that can be one")
    secret.remember(text)
    return text
