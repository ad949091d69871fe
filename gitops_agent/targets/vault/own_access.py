"""What the agent itself lives on in Vault: its token's policies, its AppRole, and the method it logs in with."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action
from gitops_agent.plan import Plan
from gitops_agent.targets.vault.client import Client


@dataclass(frozen=True)
class OwnAccess:
    names: frozenset[str] = frozenset()
    """Of resources."""
    ends: float | None = None
    """When the token ends, in epoch seconds; None for never."""

    @classmethod
    def look(cls, client: Client) -> OwnAccess:
        own = client.read("auth/token/lookup-self").data
        names = {f"policy:{name}" for field in ("policies", "identity_policies") for name in own.get(field) or ()}
        path = str(own.get("path") or "")
        if path.startswith("auth/") and not path.startswith("auth/token/"):
            method = path.removeprefix("auth/").rpartition("/")[0]
            role = (own.get("meta") or {}).get("role_name") or (own.get("meta") or {}).get("role") or ""
            names |= {f"auth:{method}", f"path:auth/{method}/role/{role}"}
        return cls(frozenset(names), time.time() + own["ttl"] if own.get("ttl") else None)

    def refuse_loss(self, plan: Plan) -> None:
        """Raises UnsafePlan for a plan that changes or deletes any of it: what a commit takes away no later commit could give back,
        and what a commit grants the agent nobody on the host has agreed to."""
        for change in plan.only(Action.UPDATE, Action.DELETE):
            if change.name in self.names:
                what = f"{change.action} {change.name}, which the agent's own token needs"
                raise UnsafePlan(f"{plan.target}: would {what}; change it by hand first")
