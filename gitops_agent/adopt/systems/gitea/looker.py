"""Who looks: what a token shows depends on its user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gitops_agent.gitea import Session


@dataclass(frozen=True)
class Looker:
    session: Session
    login: str
    is_admin: bool

    @classmethod
    def of(cls, session: Session) -> Looker:
        """Raises Unavailable."""
        user = session.call("GET", "/user", "its own user").data
        return cls(session, str(user["login"]), bool(user.get("is_admin")))


def said(spec: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Without what says nothing: what is empty, unless another default is named."""
    return {field: value for field, value in spec.items() if (value != defaults[field] if field in defaults else value)}
