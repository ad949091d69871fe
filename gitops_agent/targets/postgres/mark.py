"""Whose a role or database is: a line in its comment, `gitops-agent: <environment>/<target>`. A new comment restarts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gitops_agent.targets.postgres.session import Name, Session


@dataclass(frozen=True)
class Mark:
    owner: str
    """`<environment>/<target>`."""

    @property
    def line(self) -> str:
        return f"gitops-agent: {self.owner}"

    def is_in(self, comment: str | None) -> bool:
        return self.line in (comment or "").splitlines()

    def put(self, session: Session, what: Literal["ROLE", "DATABASE"], name: str, comment: str | None = None) -> None:
        """Beside what people wrote there; another environment's mark goes. Nothing is written where it is already."""
        if not self.is_in(comment):
            kept = [line for line in (comment or "").splitlines() if not line.startswith("gitops-agent: ")]
            session.do(f"COMMENT ON {what} {{}} IS {{}}", Name(name), "\n".join([*kept, self.line]))
