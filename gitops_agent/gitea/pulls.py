"""Pull requests of one repository: opened where a branch is protected, and watched until somebody merges them."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_agent.api import Answer
from gitops_agent.errors import ApplyFailed
from gitops_agent.gitea.session import Session, said


@dataclass(frozen=True)
class Pull:
    """`merged` is the commit that the base branch got, empty until then."""

    number: int
    url: str
    open: bool
    merged: str = ""


class Pulls:
    """Raises what `Session` raises, and ApplyFailed where Gitea does not take the request."""

    def __init__(self, session: Session, repository: str) -> None:
        self._session = session
        self._repository = repository

    def open(self, head: str, base: str, title: str, body: str) -> Pull:
        """A request to merge the branch `head` into `base`."""
        form = {"head": head, "base": base, "title": title, "body": body}
        answer = self._session.call("POST", self._below(""), self._repository, accept=(409, 422), json=form)
        if answer.status != 201:
            raise ApplyFailed(f"gitea opens no pull request for {head}: {said(answer)}")
        return _pull(answer)

    def get(self, number: int) -> Pull:
        return _pull(self._session.call("GET", self._below(f"/{number}"), f"{self._repository} pull request {number}"))

    def _below(self, path: str) -> str:
        return f"/repos/{self._repository}/pulls{path}"


def _pull(answer: Answer) -> Pull:
    row = answer.data
    merged = str(row.get("merge_commit_sha") or "") if row.get("merged") else ""
    return Pull(int(row["number"]), str(row["html_url"]), row.get("state") == "open", merged)
