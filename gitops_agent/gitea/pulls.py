"""Pull requests of one repository: opened where a branch is protected, watched until somebody merges them, and listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_agent.errors import ApplyFailed
from gitops_agent.gitea.session import Session, said


@dataclass(frozen=True)
class Pull:
    """`merged` is the commit that the base branch got, empty until then. `head` is the commit that is to be merged, `base` the
    branch that it is meant for, `onto` where that is now."""

    number: int
    url: str
    open: bool
    merged: str = ""
    head: str = ""
    base: str = ""
    onto: str = ""


class Pulls:
    """Raises what `Session` raises, and ApplyFailed where Gitea does not take the request."""

    def __init__(self, session: Session, repository: str, pages: str = "") -> None:
        """`pages` is Gitea's address for people: since 1.26 it takes the one that it was asked by for its own."""
        self._session = session
        self._repository = repository
        self._pages = pages.rstrip("/")

    def open(self, head: str, base: str, title: str, body: str) -> Pull:
        """A request to merge the branch `head` into `base`."""
        form = {"head": head, "base": base, "title": title, "body": body}
        answer = self._session.call("POST", self._below(""), self._repository, accept=(409, 422), json=form)
        if answer.status != 201:
            raise ApplyFailed(f"gitea opens no pull request for {head}: {said(answer)}")
        return self._read(answer.data)

    def get(self, number: int) -> Pull:
        answer = self._session.call("GET", self._below(f"/{number}"), f"{self._repository} pull request {number}")
        return self._read(answer.data)

    def listed(self, base: str) -> list[Pull]:
        """The open ones for the branch `base`, the one that changed last first."""
        # Gitea knows `base_branch` from 1.23 on; older ones give all.
        options = {"state": "open", "sort": "recentupdate", "base_branch": base}
        rows = self._session.rows(self._below(""), f"pull requests of {self._repository}", **options)
        found = {pull.number: pull for pull in map(self._read, rows) if pull.base == base}
        return [*found.values()]  # each once, though one may move a page while they are read

    def _below(self, path: str) -> str:
        return f"/repos/{self._repository}/pulls{path}"

    def _read(self, row: Mapping[str, Any]) -> Pull:
        merged = str(row.get("merge_commit_sha") or "") if row.get("merged") else ""
        head, base = row.get("head") or {}, row.get("base") or {}
        page = f"{self._pages}/{self._repository}/pulls/{row['number']}" if self._pages else str(row["html_url"])
        return Pull(
            int(row["number"]),
            page,
            row.get("state") == "open",
            merged,
            head=str(head.get("sha", "")),
            base=str(base.get("ref", "")),
            onto=str(base.get("sha", "")),
        )
