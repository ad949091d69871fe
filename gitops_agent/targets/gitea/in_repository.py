"""What webhooks, deploy keys and branch protections have in common: they live in a repository, which Gitea lists whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gitops_agent.gitea import NotFound, Session
from gitops_agent.targets.gitea.repositories import NAME
from gitops_agent.targets.gitea.resource_type import below

NAMES = re.compile(rf"{NAME}/[^/\s].*")
"""`OWNER/REPOSITORY/NAME`; the name of a protection is a glob and may have slashes of its own."""


class Lists:
    """The lists of one kind (`hooks`, `keys`, `branch_protections`) as they were when first asked for."""

    def __init__(self, session: Session, kind: str) -> None:
        self._session = session
        self._kind = kind
        self._rows: dict[str, list[Mapping[str, Any]]] = {}

    def of(self, name: str) -> list[Mapping[str, Any]]:
        """What the repository of a resource holds; nothing where there is no repository yet."""
        repository, _ = below(name)
        if repository not in self._rows:
            try:
                self._rows[repository] = self._session.rows(f"{repository}/{self._kind}", f"the {self._kind} of {repository[7:]}")
            except NotFound:
                self._rows[repository] = []
        return self._rows[repository]
