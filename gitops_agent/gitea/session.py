"""One Gitea, one token: what every call has in common. Facts about the API were read in its source and seen on 1.26.3; the recorded
exchanges in tests/recorded/ are what the tests replay."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from gitops_agent import secret
from gitops_agent.api import Answer, Api
from gitops_agent.errors import ApplyFailed, Unavailable

_PAGE = 50
"""Gitea gives no more at once, and 30 unless asked."""
_LONGEST_PAUSE = 3600.0


class TokenRefused(Unavailable):
    """The token is wrong, lacks a scope, or may not see what is asked for: the operator mends it."""

    acts = "operator"


class NotFound(ApplyFailed):
    """Gitea has no such thing, or none that this token may see."""


class Throttled(Unavailable):
    """Gitea, or a proxy before it, asks for a pause of `seconds`."""

    def __init__(self, message: str, seconds: float | None) -> None:
        self.seconds = seconds
        super().__init__(message)


class Session:
    """Used by one thread at a time. The token file is read again when it changes.

    Every call raises Unavailable (TokenRefused, Throttled among them), or ApplyFailed for an answer that makes no sense to repeat.
    """

    def __init__(self, url: str, token_file: Path | None, ca_file: Path | None = None, timeout: float = 15) -> None:
        self._token_file = token_file
        self._token: tuple[tuple[int, ...], str] = ((), "")
        self._api = Api("gitea", url, timeout=timeout, ca_file=ca_file)

    @property
    def url(self) -> str:
        return self._api.url

    def close(self) -> None:
        self._api.close()

    def call(self, method: str, path: str, about: str, *, accept: tuple[int, ...] = (), **request: Any) -> Answer:
        """`path` is below `/api/v1`; `about` is what errors name. 2xx and the statuses in `accept` are answers."""
        answer = self._api.call(method, f"/api/v1{path}", headers=self._headers(), accept=(*accept, 401, 403, 404, 429), **request)
        if answer.status in (401, 403):
            raise TokenRefused(f"gitea refuses the token for {about}: {said(answer)}")
        if answer.status == 404 and 404 not in accept:
            raise NotFound(f"gitea has no {about}, or none that the token may see: {said(answer)}")
        if answer.status == 429:
            raise Throttled(f"gitea asks to slow down: {said(answer)}", _pause(answer.headers))
        if answer.status in (200, 201) and answer.data is None and method != "PUT":
            raise Unavailable(f"what answers at {self.url} is not Gitea: {said(answer)}")
        return answer

    def rows(self, path: str, about: str, **params: str | int) -> list[Mapping[str, Any]]:
        """All pages of a list, in its order."""
        found: list[Mapping[str, Any]] = []
        page = 0
        while True:
            page += 1
            query = {"page": page, "limit": _PAGE, **params}
            answer = self.call("GET", path, about, params=query)
            listed = answer.data.get("data") if isinstance(answer.data, dict) else answer.data  # a search says `ok` beside it
            if not isinstance(listed, list):
                raise Unavailable(f"gitea answered something else than a list: {said(answer)}")
            found += listed
            total = answer.headers.get("X-Total-Count", "")
            # An administrator may have set a smaller largest page: a short page alone is not the last. What tells no total has one.
            if not listed or not total.isdigit() or len(found) >= int(total):
                return found

    def _headers(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        try:
            facts = self._token_file.stat()
            seen = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            if seen != self._token[0]:
                token = self._token_file.read_text().strip()
                secret.remember(token, f"the token in {self._token_file}")
                self._token = (seen, token)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise TokenRefused(f"the token in {self._token_file} cannot be read: {why}") from None
        return {"Authorization": f"token {self._token[1]}"}


def said(answer: Answer) -> str:
    """Gitea's own words where it has any."""
    data = answer.data if isinstance(answer.data, dict) else {}
    return secret.mask(str(data.get("message") or " ".join(answer.text.split())))[:200]


def _pause(headers: Mapping[str, str]) -> float | None:
    """Retry-After: seconds, or a date."""
    text = headers.get("Retry-After", "")
    try:
        seconds = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return None
    return min(max(seconds, 1.0), _LONGEST_PAUSE)
