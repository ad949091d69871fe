"""JSON over HTTP for the systems that have no client library of their own: time limits, masking, errors by who must act."""

from __future__ import annotations

import socket
from collections.abc import Collection, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.secret import mask

if TYPE_CHECKING:
    import requests

_CONNECT_TIMEOUT = 5.0
_QUOTED = 300
"""Characters of an error's body that are worth repeating."""


@dataclass(frozen=True)
class Answer:
    """What a server said. `data` is the parsed JSON, None where the body is none."""

    status: int
    headers: Mapping[str, str]
    text: str
    data: Any


class Api:
    """One HTTP API. Keeps its connection; used by one thread at a time."""

    def __init__(
        self,
        system: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
        ca_file: Path | None = None,
    ) -> None:
        self.system = system
        """How errors name it: `gitea`, `concourse` …"""
        self.url = url.rstrip("/")
        self._headers = headers or {}
        self._timeout = timeout
        self._ca_file = ca_file
        self._begun: requests.Session | None = None

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | BinaryIO | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """One request; a file as `data` is sent bit by bit. 2xx and the statuses in `accept` are answers; redirects are not
        followed, a token must not travel.

        Raises Unavailable when the server cannot be reached, answers 5xx, 429 or refuses the token; ApplyFailed otherwise.
        """
        import requests

        try:
            response = self._session.request(
                method,
                f"{self.url}{path}",
                json=json,
                data=data,
                params=params,
                headers=headers,
                timeout=(_CONNECT_TIMEOUT, self._timeout),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise Unavailable(f"{self.system} cannot be reached at {self.url}: {cause(error)}") from None
        if (response.ok and response.status_code < 300) or response.status_code in accept:
            return Answer(response.status_code, response.headers, response.text, _json(response))
        raise self._refusal(response, f"{method} {path}")

    def lines(self, path: str, *, headers: Mapping[str, str] | None = None, silence: float) -> Generator[str, None, None]:
        """The lines of an answer that the server writes bit by bit (a stream of events). Ends when the server ends it or breaks
        it off, and after `silence` seconds without a word: whoever wants more asks again. Closing it ends the connection.

        Raises like `call` when the server cannot be reached or refuses.
        """
        import requests

        asked = {"Accept-Encoding": "identity", **(headers or {})}  # compressed, lines would wait for each other
        limits = (_CONNECT_TIMEOUT, silence)
        try:
            response = self._session.get(f"{self.url}{path}", headers=asked, timeout=limits, stream=True, allow_redirects=False)
        except requests.ReadTimeout:  # some servers send their headers with the first event
            return
        except requests.RequestException as error:
            raise Unavailable(f"{self.system} cannot be reached at {self.url}: {cause(error)}") from None
        with closing(response):
            if not response.ok or response.status_code >= 300:
                raise self._refusal(response, f"GET {path}")
            response.encoding = "utf-8"
            with suppress(requests.RequestException):
                for line in response.iter_lines(decode_unicode=True):
                    yield str(line)

    def _refusal(self, response: requests.Response, call: str) -> Exception:
        said = mask(" ".join(response.text.split()))[:_QUOTED]  # never the other way: half a secret is not recognised
        message = f"{self.system} answered {response.status_code} to {call}: {said}"
        if response.status_code >= 500 or response.status_code in (401, 403, 429):
            return Unavailable(message)
        return ApplyFailed(message)

    def listens(self) -> bool:
        """False when the server does not run: nothing listens at its address, or its name is unknown, as that of a container that
        is not there. One that hangs listens. Raises Unavailable where that cannot be told."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_TIMEOUT).close()
        except (ConnectionRefusedError, socket.gaierror):
            return False
        except OSError as error:
            raise Unavailable(f"{self.system} cannot be reached at {self.url}: {cause(error)}") from None
        return True

    def close(self) -> None:
        if self._begun is not None:
            self._begun.close()

    @property
    def _session(self) -> requests.Session:
        if self._begun is None:
            import requests

            self._begun = requests.Session()
            self._begun.trust_env = False  # proxies and ~/.netrc of whoever started the agent would send tokens elsewhere
            self._begun.headers.update(self._headers)
            if self._ca_file is not None:
                self._begun.verify = str(self._ca_file)
        return self._begun


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def cause(error: OSError) -> str:
    """The innermost reason in words: `connection refused`, not four nested class names."""
    import requests

    if isinstance(error, requests.Timeout):
        return "no answer in time"
    root: BaseException = error
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    return (getattr(root, "strerror", None) or str(root) or type(error).__name__).lower()
