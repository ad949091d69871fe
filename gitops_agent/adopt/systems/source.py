"""One system as it is read: its address, its token, and where to say what is left."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gitops_agent.adopt.left import Left
from gitops_agent.api import Api
from gitops_agent.secret.files import read_secret

_HEADERS = {"consul": "X-Consul-Token", "vault": "X-Vault-Token", "nomad": "X-Nomad-Token"}
_BASIC = ("grafana",)
_TIMEOUT = 30.0


class Source:
    """Use as a context manager. Raises Unavailable where the token cannot be read, or may not."""

    def __init__(self, name: str, address: str, credential: Path | None, left: Left, user: str = "") -> None:
        """`credential` is a file with a token; for a system that people log in to, with the password of `user`."""
        self.name = name
        self.address = address
        self.left = left
        self.credential = credential
        self.user = user
        self._api = Api(name, address, headers=self._login(), timeout=_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._api.close()

    @property
    def settings(self) -> dict[str, Any]:
        """What every target of it has in agent.toml."""
        return {"address": self.address, **({"token_file": self.credential} if self.credential else {})}

    def get(self, path: str, *, method: str = "GET", params: Mapping[str, str | int] | None = None) -> Any:
        """The parsed answer, None where there is no such thing, or the system has no such part."""
        answer = self._api.call(method, path, params=params, accept=(400, 404, 405))
        return answer.data if answer.status == 200 else None

    def _login(self) -> dict[str, str]:
        if self.credential and self.name in _HEADERS:
            return {_HEADERS[self.name]: read_secret(self.credential)}
        if self.credential and self.name in _BASIC:
            pair = f"{self.user}:{read_secret(self.credential)}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {}
