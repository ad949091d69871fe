"""The only place that calls Vault: login, time limits, errors by who must act.

Calls go through hvac's transport, not through its methods: those know a part of the API, and its client takes VAULT_TOKEN,
~/.vault-token and VAULT_CACERT where the configuration says nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gitops_agent import secret
from gitops_agent.api import cause
from gitops_agent.errors import ApplyFailed, Conflict, Unavailable
from gitops_agent.targets.vault.access import Access
from gitops_agent.targets.vault.keys import Keys
from gitops_agent.targets.vault.login import login

_log = logging.getLogger(__name__)
_CONNECT_TIMEOUT = 5.0
_QUOTED = 300
_CAPABILITY = {"get": "read", "list": "list", "post": "create and update", "delete": "delete"}
_SUDO = ("sys/auth/", "sys/audit")
_OWN = "auth/token/lookup-self"
_NOT_CONFIGURED = "configured"
"""Engines answer the question for a configuration that is not there yet with 400: «… haven't been configured»."""
_UNREACHABLE = ("dial tcp", "no such host", "timeout", "deadline exceeded", "connection refused", "error checking jwks URL")


@dataclass(frozen=True)
class Answer:
    """`data` is what is below `data` in the answer's JSON, empty where there is none. `routed` is false where no engine answers
    below that path."""

    status: int
    data: Mapping[str, Any]
    routed: bool = True

    @property
    def found(self) -> bool:
        return self.status < 300


class Client:
    """One connection to Vault, made at the first call; used by one thread at a time."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._login = login(access)
        self._http: Any = None

    def read(self, path: str) -> Answer:
        """404 and 405 (cannot be read) are answers. Raises Unavailable."""
        return self._call("get", path, None, reading=True)

    def list(self, path: str) -> Answer:
        return self._call("list", path, None, reading=True)

    def write(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Raises ApplyFailed for what Vault refuses, Conflict for a lost compare-and-set, and Unavailable."""
        return self._call("post", path, body, reading=False)

    def delete(self, path: str) -> Answer:
        """404 and 405 (cannot be deleted) are answers."""
        return self._call("delete", path, None, reading=False)

    def own(self, token: str) -> Mapping[str, Any] | None:
        """What Vault tells whoever shows `token` about it; None where it does not know it. Needs no right of the agent's."""
        response = self._send("get", _OWN, None, token)
        if response.status_code == 403:
            return None
        if response.status_code != 200:
            raise Unavailable(f"vault answered {response.status_code} to {_OWN}")
        return dict(_json(response).get("data") or {})

    def renew(self, token: str) -> bool:
        """Whether Vault knew that token, and gave it its whole time again. Needs no right of the agent's."""
        return self._post("auth/token/renew-self", {}, token) is not None

    def unseal(self, keys: Path) -> None:
        """Opens a Vault that is sealed, with the keys in that file. Raises Unavailable where they do not open it."""
        if not self._seal_status().get("sealed"):
            return
        offered = Keys.read(keys)
        if not offered.open(lambda key: _json(self._send("post", "sys/unseal", {"key": key}, ""))):
            raise Unavailable(f"vault is sealed, and the keys in {keys} do not open it")
        _log.warning("vault was sealed and is open again", extra={"keys": str(keys)})

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None, *, reading: bool) -> Answer:
        response = self._send(method, path, body, self._login.token(self._post))
        status = response.status_code
        said = _json(response)
        errors = secret.mask(" ".join(" ".join(map(str, said.get("errors") or ())).split()))[:_QUOTED]
        if status in (200, 204):
            return Answer(status, said.get("data") or {})
        if status in (404, 405) and method != "post":
            return Answer(status, said.get("data") or {}, routed="no handler for route" not in errors)
        if status == 400 and reading and _NOT_CONFIGURED in errors:
            return Answer(404, {})
        raise self._refusal(status, errors, method, path, reading=reading)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> Any:
        http = self._connected()
        http.token = token
        try:
            response = http.request(method, f"/v1/{quote(path)}", json=body, raise_exception=False)
        except OSError as error:  # all that `requests` raises is one
            raise Unavailable(f"vault cannot be reached at {self._access.address}: {cause(error)}") from None
        if response.status_code == 503 or (response.status_code >= 400 and "not yet initialized" in response.text):
            raise Unavailable(self._why_closed() if path != "sys/seal-status" else "vault is not available")
        return response

    def _post(self, path: str, body: Mapping[str, Any], token: str) -> Mapping[str, Any] | None:
        response = self._send("post", path, body, token)
        if response.status_code in (400, 403):
            return None
        auth = _json(response).get("auth")
        if response.status_code != 200 or not isinstance(auth, Mapping):
            raise Unavailable(f"vault answered {response.status_code} to {path}")
        return auth

    def _why_closed(self) -> str:
        status = self._seal_status()
        if not status.get("initialized", True):
            return "vault is not initialised: run `vault operator init` once"
        if status.get("sealed"):
            return f"vault is sealed: unseal it ({status.get('progress', 0)} of {status.get('t', '?')} keys so far)"
        return "vault has no active node"

    def _seal_status(self) -> Mapping[str, Any]:
        return _json(self._send("get", "sys/seal-status", None, ""))

    def _connected(self) -> Any:
        if self._http is None:
            import hvac
            from hvac.adapters import RawAdapter

            access = self._access
            client = hvac.Client(
                access.address,
                token="",
                cert=(),
                verify=str(access.ca_file) if access.ca_file else True,
                timeout=(min(_CONNECT_TIMEOUT, access.timeout), access.timeout),
                allow_redirects=False,  # a token must not travel elsewhere
                adapter=RawAdapter,
            )
            self._http = client.adapter
            self._http.namespace = None
            self._http.session.trust_env = False  # nor through a proxy that whoever started the agent has configured
        return self._http

    def _refusal(self, status: int, errors: str, method: str, path: str, *, reading: bool) -> Exception:
        if status == 403:
            return self._denied(method, path, reading=reading)
        message = f"vault answered {status} to {_CAPABILITY[method]} {path}: {errors}"
        # Engines say 500 to what they do not accept; then it is not worth less than 400.
        if (
            status > 500
            or (status == 500 and reading)
            or status in (307, 429, 472, 473)
            or any(sign in errors for sign in _UNREACHABLE)
        ):
            return Unavailable(message)
        if "check-and-set parameter" in errors or "path is already in use" in errors:
            return Conflict(f"{path} was changed by somebody else in the meantime")
        return Unavailable(message) if reading else ApplyFailed(message)

    def _denied(self, method: str, path: str, *, reading: bool) -> Exception:
        """Vault says the same to a token it does not know and to one that may not: it is asked which, once."""
        own = self._send("get", _OWN, None, self._login.token(self._post))
        if own.status_code == 403:
            self._login.forget()
            return Unavailable(f"vault does not know the agent's token ({self._login.source})")
        sudo = " and sudo" if path.startswith(_SUDO) else ""
        message = f"vault: the agent's token lacks {_CAPABILITY[method]}{sudo} on {path}"
        return Unavailable(message) if reading else ApplyFailed(message)


def _json(response: Any) -> Mapping[str, Any]:
    try:
        said = response.json() if response.content else {}
    except ValueError:
        said = None
    if not isinstance(said, Mapping):
        raise Unavailable("what answers instead of vault speaks nonsense")
    return said
