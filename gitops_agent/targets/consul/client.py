"""The only place that calls Consul: token, time limits, errors by who must act, and what ACLs hide.

Calls go through py-consul's transport, not its methods: those decide one by one whether to send the token (`txn` sends none), take
CONSUL_HTTP_TOKEN over the configured one and drop the headers that tell a partial answer from a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.targets.consul.settings import ConsulSettings

_CONNECT_TIMEOUT = 5.0
_QUOTED = 300
_NO_LEADER = ("leader", "No path to datacenter", "raft is already shutdown", "rpc error getting client")
Parameters = Sequence[tuple[str, str | int]]


@dataclass(frozen=True)
class Answer:
    """`data` is the parsed JSON, None for a 404. `index` is for blocking queries, 0 where the endpoint has none."""

    status: int
    data: Any
    index: int = 0


class Client:
    """One connection to Consul, made at the first call; used by one thread at a time."""

    def __init__(self, settings: ConsulSettings) -> None:
        self._settings = settings
        self._http: Any = None
        self._token = _TokenFile(settings.token_file)

    def read(self, path: str, *, needs: str, parameters: Parameters = ()) -> Answer:
        """`needs` is the ACL rule that the call takes, for the error. Raises Unavailable, also for an answer that ACLs filtered:
        what is missing in it may exist."""
        return self._call("get", path, parameters, None, needs, reading=True)

    def write(
        self,
        method: str,
        path: str,
        *,
        needs: str,
        parameters: Parameters = (),
        body: Any = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """`body` is JSON unless it is bytes. 200 and the statuses in `accept` are answers. Raises ApplyFailed for what Consul
        refuses, and Unavailable."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self._call(method, path, parameters, data, needs, reading=False, accept=accept)

    def close(self) -> None:
        if self._http is not None:
            self._http.session.close()
            self._http = None

    def _call(
        self,
        method: str,
        path: str,
        parameters: Parameters,
        data: bytes | None,
        needs: str,
        *,
        reading: bool,
        accept: Collection[int] = (),
    ) -> Answer:
        def answer(response: Any) -> Answer:
            if response.code not in (200, *accept) and not (reading and response.code == 404):
                raise self._refusal(response.code, response.body, f"{method.upper()} {path}", needs, reading=reading)
            if response.headers.get("X-Consul-Results-Filtered-By-ACLs", "").lower() == "true":
                raise Unavailable(f"consul hid a part of its answer: the agent's token lacks {needs}")
            try:
                index = int(response.headers.get("X-Consul-Index", 0))
                return Answer(response.code, None if response.code == 404 else json.loads(response.body or "null"), index)
            except ValueError:
                raise Unavailable(f"{self._settings.address} is no Consul: its answer to {path} is no JSON") from None

        http = self._connected()
        dc = self._settings.datacenter
        arguments: dict[str, Any] = {"params": [*parameters, ("dc", dc)] if dc else [*parameters]}
        if data is not None:
            arguments["data"] = data
        try:
            return getattr(http, method)(answer, path, **arguments)  # type: ignore[no-any-return]
        except OSError as error:  # all that `requests` raises is one
            from gitops_agent.api import cause

            raise Unavailable(f"consul cannot be reached at {self._settings.address}: {cause(error)}") from None

    def _connected(self) -> Any:
        if self._http is None:
            self._http = self._connect()
        if (token := self._token.changed()) is not None:
            self._http.session.headers["X-Consul-Token"] = token
        return self._http

    def _connect(self) -> Any:
        import consul

        address = urlsplit(self._settings.address)
        verify = str(self._settings.ca_file) if self._settings.ca_file else True
        port = address.port or (443 if address.scheme == "https" else 80)
        limit = self._settings.timeout
        http = consul.Consul(address.hostname, port, scheme=address.scheme, verify=verify, connections_timeout=limit).http
        http.base_uri = self._settings.address  # a path and an IPv6 address survive
        http.session.trust_env = False  # proxies and ~/.netrc of whoever started the agent would send the token elsewhere
        http.session.max_redirects = 0  # nor may it follow a redirect
        read_timeout = http.timeout
        http.timeout = lambda parameters: (min(_CONNECT_TIMEOUT, limit), read_timeout(parameters))
        return http

    def _refusal(self, status: int, body: str, call: str, needs: str, *, reading: bool) -> Exception:
        said = secret.mask(" ".join(body.split())[:_QUOTED])
        if status == 403 and "ACL not found" in body:
            return Unavailable(f"consul does not know the agent's token ({self._settings.token_file or 'none is configured'})")
        if status == 403:
            message = f"consul: the agent's token lacks {needs}"
            return Unavailable(message) if reading else ApplyFailed(message)
        message = f"consul answered {status} to {call}: {said}"
        # The ACL API says 500 to what it does not accept, and to a write that no leader takes.
        refused = status < 500 or (status == 500 and not reading and not any(sign in body for sign in _NO_LEADER))
        return ApplyFailed(message) if refused and status not in (401, 429) else Unavailable(message)


class _TokenFile:
    """Tells the token when it is new: tokens rotate while the agent runs, and a look at the file costs microseconds."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> str | None:
        if self._path is None:
            return None
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
            if seen == self._seen:
                return None
            token = self._path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(
                f"consul: token_file {self._path} cannot be read: {getattr(error, 'strerror', None) or 'no text'}"
            ) from None
        if not token.isascii() or not token.isprintable() or not token:
            raise Unavailable(f"consul: token_file {self._path} holds no token")
        secret.remember(token)
        self._seen = seen
        return token
