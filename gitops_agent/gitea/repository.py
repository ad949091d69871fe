"""One repository on Gitea as the agent's own git host: commit statuses, and what the doctor asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gitops_agent.api import Answer
from gitops_agent.errors import AgentError, ConfigError, Unavailable
from gitops_agent.gitea.session import NotFound, Session, TokenRefused, said
from gitops_agent.model import CommitStatus, StatusState

_STATES = frozenset(StatusState)
_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


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
        self._session = Session(url, token_file, ca_file, timeout)

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
        return self._session.url

    @property
    def session(self) -> Session:
        """For what else there is to say to the same Gitea."""
        return self._session

    def close(self) -> None:
        self._session.close()

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
        raise Unavailable(f"gitea answered {answer.status} to a status of {status.sha[:10]}: {said(answer)}")

    def statuses(self, sha: str) -> list[CommitStatus]:
        """All statuses of a commit, oldest first; none for a commit that is not known.

        The order of Gitea's list is by whole seconds, and within one it is reversed; only the ids tell what is newest.
        """
        # `highestindex` means oldest first, and does not tie.
        rows = self._rows(f"/statuses/{quote(sha, safe='')}", sort="highestindex")
        found = {row["id"]: _status(sha, row) for row in rows if row["status"] in _STATES}
        return [status for _, status in sorted(found.items())]

    def states(self, sha: str) -> dict[str, str]:
        """The newest state of each context, in Gitea's words: it knows `warning`, and keeps what others make up."""
        rows = self._rows(f"/statuses/{quote(sha, safe='')}", sort="highestindex")
        return {row["context"]: row["status"] for row in sorted(rows, key=lambda row: row["id"])}

    def has_commit(self, sha: str) -> bool:
        """Raises TokenRefused where the repository itself is not to be seen."""
        params = {"stat": "false", "verification": "false", "files": "false"}
        if self._call("GET", f"/git/commits/{quote(sha, safe='')}", params=params, accept=(404, 422)).status == 200:
            return True
        self._call("GET", "")
        return False

    def hooks(self) -> list[Hook]:
        """The repository's webhooks; needs a token of an administrator of the repository."""
        rows = self._rows("/hooks")
        return [
            Hook(
                row["id"], row["config"].get("url", ""), row["active"], tuple(row["events"]), row["config"].get("content_type", "")
            )
            for row in rows
        ]

    def version(self) -> str:
        return str(self._session.call("GET", "/version", "its version").data.get("version", ""))

    def _call(self, method: str, path: str, *, accept: tuple[int, ...] = (), **request: Any) -> Answer:
        try:
            return self._session.call(method, self._below(path), self.repository, accept=accept, **request)
        except NotFound:
            raise self._unseen() from None

    def _rows(self, path: str, **params: str | int) -> list[Mapping[str, Any]]:
        try:
            return self._session.rows(self._below(path), self.repository, **params)
        except NotFound:
            raise self._unseen() from None

    def _below(self, path: str) -> str:
        return f"/repos/{self.repository}{path}"

    def _unseen(self) -> TokenRefused:
        return TokenRefused(f"gitea has no repository {self.repository} that this token may see")


def _split(path: str) -> tuple[str, str]:
    """`/gitea/ops/config.git` → `/gitea`, `ops/config`: Gitea may live below a path."""
    parts = path.strip("/").removesuffix(".git").split("/")
    return "".join(f"/{part}" for part in parts[:-2]), "/".join(parts[-2:])


def _status(sha: str, row: Mapping[str, Any]) -> CommitStatus:
    return CommitStatus(sha, row["context"], StatusState(row["status"]), row["description"], row["target_url"])
