"""One comment of the agent's own on an issue or a pull request: found again, never written twice, nobody else's ever touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitops_agent.gitea.session import Session


class Comments:
    """Needs a token with `write:issue` and `read:user`. Raises what `Session` raises."""

    def __init__(self, session: Session, repository: str) -> None:
        self._session = session
        self._repository = repository
        self._user = 0

    def own(self, number: int, marker: str) -> str | None:
        """The text of the agent's comment whose first line is `marker`; None where there is none."""
        found = self._find(number, marker)
        return None if found is None else str(found["body"])

    def write(self, number: int, marker: str, body: str) -> None:
        """Makes it the comment: in the place of the one that is there, unless it says the same."""
        found = self._find(number, marker)
        about = f"comments of {self._repository} number {number}"
        if found is None:
            self._session.call("POST", self._below(f"/{number}/comments"), about, json={"body": body})
        elif found["body"] != body:
            self._session.call("PATCH", self._below(f"/comments/{found['id']}"), about, json={"body": body})

    def _find(self, number: int, marker: str) -> Mapping[str, Any] | None:
        """Anybody may write the marker; the user tells. Of several, as after a lost answer, the oldest."""
        rows = self._session.rows(self._below(f"/{number}/comments"), f"comments of {self._repository} number {number}")
        own = [row for row in rows if row["user"]["id"] == self._me() and str(row["body"]).split("\n", 1)[0].strip() == marker]
        return min(own, key=lambda row: int(row["id"])) if own else None

    def _me(self) -> int:
        if not self._user:
            self._user = int(self._session.call("GET", "/user", "its own user").data["id"])
        return self._user

    def _below(self, path: str) -> str:
        return f"/repos/{self._repository}/issues{path}"
