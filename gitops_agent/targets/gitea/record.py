"""What is ours: a record beside it, a file in a repository of the agent's own.

A mark on the objects would be a description or a topic that people see and may edit, and hooks, keys and rules have no room for
one. The record lies at `<environment>/<target>.json`; Gitea takes a new version only with the hash of the one it replaces, which is
compare-and-set, and keeps every version as a commit. A name is in it before its object is created and until after its object is
deleted. Beside the names it holds what Gitea never tells again (see `resource_type.Note`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gitops_agent.errors import Conflict, Unavailable
from gitops_agent.gitea import Session, TokenRefused
from gitops_agent.targets.gitea.resource_type import Note

HOME = "gitops-agent"
"""The repository of the agent's user that holds records unless another is set."""
_CONFLICT = (409, 422)
"""What Gitea answers to a hash that is no longer right, or to the creation of what is there already."""


class Record:
    """As last seen or written by this process."""

    def __init__(self, session: Session, repository: str, path: str) -> None:
        self._session = session
        self._path = path
        self._login = ""
        self._hash = ""
        self._saved: Mapping[str, Note] = {}
        self.repository = repository
        self.notes: dict[str, Note] = {}
        """By name of the resource; changed by who applies, and kept by `save`."""

    def look(self, login: str) -> Mapping[str, Note]:
        """`login` is the agent's user. Raises Unavailable when somebody has written nonsense there: without it nothing may be
        created or pruned."""
        self._login = login
        self.repository = self.repository or f"{login}/{HOME}"
        answer = self._session.call("GET", self._url, "the record of what is owned", accept=(404,))
        self._hash, self.notes = "", {}
        if answer.status != 404:
            try:
                self._hash = answer.data["sha"]
                owned = json.loads(base64.b64decode(answer.data["content"]))["owned"]
                self.notes = {str(name): dict(note) for name, note in owned.items()}
            except (KeyError, TypeError, ValueError, AttributeError):
                where = f"{self.repository}: {self._path}"
                raise Unavailable(f"gitea: the record of what is owned, {where}, is damaged; mend or delete it") from None
        self._saved = dict(self.notes)
        return self._saved

    def save(self) -> None:
        """Writes nothing where nothing changed. Raises Conflict when somebody else wrote it."""
        if self.notes == self._saved:
            return
        if not self._hash:
            self._make_repository()
        text = json.dumps({"owned": dict(sorted(self.notes.items()))}, indent=1, sort_keys=True)
        body = {"content": base64.b64encode(text.encode()).decode(), "message": f"Own {len(self.notes)} resources"}
        method, more = ("PUT", {"sha": self._hash}) if self._hash else ("POST", {})
        answer = self._session.call(method, self._url, "the record of what is owned", json=body | more, accept=_CONFLICT)
        if answer.status in _CONFLICT:
            raise Conflict(f"gitea: somebody else wrote {self._path} in {self.repository}")
        self._hash = str(answer.data["content"]["sha"])
        self._saved = dict(self.notes)

    @property
    def _url(self) -> str:
        return f"/repos/{self.repository}/contents/{quote(self._path)}"

    def _make_repository(self) -> None:
        if self._session.call("GET", f"/repos/{self.repository}", self.repository, accept=(404,)).status == 200:
            return
        owner, _, name = self.repository.partition("/")
        body: dict[str, Any] = {"name": name, "private": True, "description": "Records of gitops-agent", "auto_init": True}
        try:
            where = "/user/repos" if owner == self._login else f"/orgs/{owner}/repos"
            self._session.call("POST", where, self.repository, json={**body, "default_branch": "main"}, accept=(409,))
        except TokenRefused as error:
            raise TokenRefused(f"make the private repository {self.repository} for the agent's records: {error}") from None
