"""The only place that calls Nomad: token, time limits, certificates, errors by who must act.

Calls go through python-nomad's transport, not its methods: those have no Submission, no Variables for the parser and no blocking
queries. Its defaults are traps that are avoided here: certificates unchecked, token, address and namespace from the environment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.targets.nomad.settings import NomadSettings

_CONNECT_TIMEOUT = 5.0
_WAITING = 10.0
"""Seconds more for a blocking query, of which none waits longer than half of that."""
_QUOTED = 300


@dataclass(frozen=True)
class Answer:
    """`data` is the parsed JSON, None where the body is none. `index` is for blocking queries."""

    status: int
    text: str
    data: Any
    index: int = 0


class Client:
    """One connection to Nomad, made at the first call; used by one thread at a time."""

    def __init__(self, settings: NomadSettings) -> None:
        self._settings = settings
        self._requester: Any = None

    def read(
        self,
        path: str,
        *,
        needs: str,
        parameters: Mapping[str, str | int] | None = None,
        body: Any = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """A GET, or the POST of a `body` that changes nothing. 200 and the statuses in `accept` are answers. `needs` is what the
        token must be allowed, for the error. Raises Unavailable."""
        method = "get" if body is None else "post"
        answer = self._call(method, path, needs, parameters, body, reading=True, accept=accept)
        if answer.status == 200 and answer.data is None:
            raise Unavailable(f"{self._settings.address} is no Nomad: its answer to {path} is no JSON")
        return answer

    def write(
        self,
        method: str,
        path: str,
        *,
        needs: str,
        parameters: Mapping[str, str | int] | None = None,
        body: Any = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """Raises ApplyFailed for what Nomad refuses, and Unavailable."""
        return self._call(method, path, needs, parameters, body, reading=False, accept=accept)

    def close(self) -> None:
        if self._requester is not None:
            self._requester.session.close()
            self._requester = None

    def _call(
        self,
        method: str,
        path: str,
        needs: str,
        parameters: Mapping[str, str | int] | None,
        body: Any,
        *,
        reading: bool,
        accept: Collection[int],
    ) -> Answer:
        from nomad.api.exceptions import BaseNomadException

        requester = self._connected()
        query = {"namespace": self._settings.namespace, **(parameters or {})}
        connecting, answering = requester.timeout
        limits = (connecting, answering + (_WAITING if "wait" in query else 0.0))
        try:
            # `request` puts a second slash in front of every path; this is what it calls.
            response = requester._request(method, f"v1/{path}", params=query, json=body, timeout=limits)  # noqa: SLF001
        except BaseNomadException as error:
            response = error.nomad_resp
            if isinstance(response, OSError):  # all that `requests` raises is one
                from gitops_agent.api import cause

                raise Unavailable(f"nomad cannot be reached at {self._settings.address}: {cause(response)}") from None
        status = int(response.status_code)
        if status == 200 or status in accept:
            index = response.headers.get("X-Nomad-Index", "")
            return Answer(status, response.text, _json(response), int(index) if index.isdecimal() else 0)
        raise self._refusal(status, response.text, f"{method.upper()} /v1/{path}", needs, reading=reading)

    def _connected(self) -> Any:
        if self._requester is None:
            from nomad.api.base import Requester

            settings = self._settings
            verify = str(settings.ca_file) if settings.ca_file else True
            timeout = (min(_CONNECT_TIMEOUT, settings.timeout), settings.timeout)
            self._requester = Requester(address=settings.address, timeout=timeout, verify=verify)
            session = self._requester.session
            session.trust_env = False  # proxies and ~/.netrc of whoever started the agent would send the token elsewhere
            session.max_redirects = 0  # nor may it follow a redirect
        self._requester.token = self._token()
        return self._requester

    def _token(self) -> str | None:
        """Tokens rotate while the agent runs; reading the file costs microseconds."""
        path = self._settings.token_file
        if path is None:
            return None
        try:
            token = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "no text"
            raise Unavailable(f"nomad: token_file {path} cannot be read: {why}") from None
        if not token.isascii() or not token.isprintable() or not token:
            raise Unavailable(f"nomad: token_file {path} holds no token")
        secret.remember(token)
        return token

    def _refusal(self, status: int, body: str, call: str, needs: str, *, reading: bool) -> Exception:
        said = secret.mask(" ".join(body.split()))[:_QUOTED]
        if status in (401, 403) and ("not found" in body or "expired" in body):
            return Unavailable(f"nomad does not know the agent's token ({self._settings.token_file or 'none is configured'})")
        if status in (401, 403):
            message = f"nomad: the agent's token lacks {needs}"
            return Unavailable(message) if reading else ApplyFailed(message)
        message = f"nomad answered {status} to {call}: {said}"
        return Unavailable(message) if reading or status == 429 or "leader" in body else ApplyFailed(message)


def _json(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
