"""Who looks: what a token shows depends on its user."""

from __future__ import annotations

from dataclasses import dataclass

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
