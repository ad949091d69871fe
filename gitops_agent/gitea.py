"""The few calls of Gitea's API that the agent needs. Facts about them were read in its source and seen on 1.26.3; the recorded
exchanges in tests/recorded/ are what the tests replay."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gitops_agent import secret
from gitops_agent.api import Answer, Api
from gitops_agent.errors import AgentError, ConfigError, Unavailable
from gitops_agent.model import CommitStatus, StatusState

_PAGE = 50
"""Gitea gives no more at once, and 30 unless asked."""
_STATES = frozenset(StatusState)
_LONGEST_PAUSE = 3600.0
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class TokenRefused(Unavailable):
    """The token is wrong, lacks a scope, or may not see the repository: the operator mends it."""

    acts = "operator"


class Throttled(Unavailable):
    """Gitea, or a proxy before it, asks for a pause of `seconds`."""

    def __init__(self, message: str, seconds: float | None) -> None:
        self.seconds = seconds
        super().__init__(message)


class CommitGone(AgentError):
    """The repository has no such commit (any more): it was force-pushed away and collected."""


@dataclass(frozen=True)
class Hook:
    """A webhook of the repository. Gitea never gives its secret back."""

    id: int
    url: str
    active: bool
    events: tuple[str, ...]
    content_type: str


class Gitea:
    """One repository on one Gitea. Used by one thread at a time. The token file is read again when it changes.

    Every call raises Unavailable (TokenRefused, Throttled among them), or ApplyFailed for an answer that makes no sense to repeat.
    """

    def __init__(
        self, url: str, repository: str, token_file: Path | None, ca_file: Path | None = None, timeout: float = 15
    ) -> None:
        self.repository = repository
        self._token_file = token_file
        self._token: tuple[tuple[int, ...], str] = ((), "")
        self._api = Api("gitea", url, timeout=timeout, ca_file=ca_file)

    @classmethod
    def of(cls, source: str, address: str, token_file: Path | None, ca_file: Path | None = None) -> Gitea:
        """`source` is a clone URL or a path; `address` that of Gitea, taken from an http(s) source if empty. Raises ConfigError."""
        base = ""
        if "://" in source:
            parts = urlsplit(source)
            path = parts.path
            if parts.scheme in ("http", "https"):
                base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        else:  # user@host:path, or a path on this host
            path = source.rpartition(":")[2]
        below, repository = _split(path)
        if not address and not base:
            raise ConfigError(f"statuses go to Gitea, but {source} does not say where that is: set `gitea` to its address")
        if not _NAME.fullmatch(repository):
            raise ConfigError(f"{source} names no repository of Gitea: it should end in OWNER/NAME.git")
        return cls(address or f"{base}{below}", repository, token_file, ca_file)

    @property
    def url(self) -> str:
        return self._api.url

    def close(self) -> None:
        self._api.close()

    def create_status(self, status: CommitStatus) -> None:
        """Appends a status. Raises CommitGone when the repository does not know the commit.

        After any other exception it may have been stored all the same: ask `statuses` before sending it again.
        """
        body = {
            "state": str(status.state),
            "context": status.context,
            "description": status.description,
            "target_url": status.url,
        }
        answer = self._call("POST", f"/statuses/{quote(status.sha, safe='')}", json=body, accept=(404, 500))
        if answer.status == 201:
            return
        # Gitea answers 500 for an unknown commit, like for its own troubles; 404 may be the repository.
        if not self.has_commit(status.sha):
            raise CommitGone(f"{self.repository} has no commit {status.sha[:10]} any more")
        raise Unavailable(f"gitea answered {answer.status} to a status of {status.sha[:10]}: {_said(answer)}")

    def statuses(self, sha: str) -> list[CommitStatus]:
        """All statuses of a commit, oldest first; none for a commit that is not known.

        The order of Gitea's list is by whole seconds, and within one it is reversed; only the ids tell what is newest.
        """
        found: dict[int, CommitStatus] = {}
        page = seen = 0
        while True:
            page += 1
            params = {"page": page, "limit": _PAGE, "sort": "highestindex"}  # which means oldest first, and does not tie
            answer = self._call("GET", f"/statuses/{quote(sha, safe='')}", params=params)
            rows = _list(answer)
            seen += len(rows)
            found |= {row["id"]: _status(sha, row) for row in rows if row["status"] in _STATES}
            total = answer.headers.get("X-Total-Count", "")
            # An administrator may have set a smaller largest page: a short page alone is not the last.
            if not rows or (total.isdigit() and seen >= int(total)):
                return [status for _, status in sorted(found.items())]

    def has_commit(self, sha: str) -> bool:
        """Raises TokenRefused where the repository itself is not to be seen."""
        params = {"stat": "false", "verification": "false", "files": "false"}
        if self._call("GET", f"/git/commits/{quote(sha, safe='')}", params=params, accept=(404, 422)).status == 200:
            return True
        self._call("GET", "")
        return False

    def hooks(self) -> list[Hook]:
        """The repository's webhooks; needs a token of an administrator of the repository."""
        rows = _list(self._call("GET", "/hooks", params={"limit": _PAGE}))
        return [
            Hook(
                row["id"], row["config"].get("url", ""), row["active"], tuple(row["events"]), row["config"].get("content_type", "")
            )
            for row in rows
        ]

    def version(self) -> str:
        return str(_object(self._api.call("GET", "/api/v1/version", headers=self._headers())).get("version", ""))

    def _call(self, method: str, path: str, *, accept: tuple[int, ...] = (), **request: Any) -> Answer:
        answer = self._api.call(
            method,
            f"/api/v1/repos/{self.repository}{path}",
            headers=self._headers(),
            accept=(*accept, 401, 403, 404, 429),
            **request,
        )
        if answer.status in (401, 403):
            raise TokenRefused(f"gitea refuses the token for {self.repository}: {_said(answer)}")
        if answer.status == 404 and 404 not in accept:
            raise TokenRefused(f"gitea has no repository {self.repository} that this token may see")
        if answer.status == 429:
            raise Throttled(f"gitea asks to slow down: {_said(answer)}", _pause(answer.headers))
        if answer.status in (200, 201) and answer.data is None:
            raise Unavailable(f"what answers at {self.url} is not Gitea: {_said(answer)}")
        return answer

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


def _split(path: str) -> tuple[str, str]:
    """`/gitea/ops/config.git` → `/gitea`, `ops/config`: Gitea may live below a path."""
    parts = path.strip("/").removesuffix(".git").split("/")
    return "".join(f"/{part}" for part in parts[:-2]), "/".join(parts[-2:])


def _status(sha: str, row: Mapping[str, Any]) -> CommitStatus:
    return CommitStatus(sha, row["context"], StatusState(row["status"]), row["description"], row["target_url"])


def _list(answer: Answer) -> list[Mapping[str, Any]]:
    if not isinstance(answer.data, list):
        raise Unavailable(f"gitea answered something else than a list: {_said(answer)}")
    return answer.data


def _object(answer: Answer) -> Mapping[str, Any]:
    return answer.data if isinstance(answer.data, dict) else {}


def _said(answer: Answer) -> str:
    """Gitea's own words where it has any."""
    return secret.mask(str(_object(answer).get("message") or " ".join(answer.text.split())))[:200]


def _pause(headers: Mapping[str, str]) -> float | None:
    """Retry-After: seconds, or a date."""
    text = headers.get("Retry-After", "")
    try:
        seconds = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return None
    return min(max(seconds, 1.0), _LONGEST_PAUSE)
