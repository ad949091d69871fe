"""What the agent itself lives on in Consul: its token, and the policies and roles behind it."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_agent import moments
from gitops_agent.errors import UnsafePlan
from gitops_agent.model import Action, Change
from gitops_agent.plan import Plan
from gitops_agent.targets.consul.acl import NEEDS
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.tokens import Tokens


@dataclass(frozen=True)
class OwnAccess:
    accessor: str = ""
    names: frozenset[str] = frozenset()
    """Of policies and roles, as resources."""
    ends: float | None = None
    """When the token ends, in epoch seconds; None for never."""

    @classmethod
    def look(cls, client: Client) -> OwnAccess:
        own = client.read("/v1/acl/token/self", needs="a token").data or {}
        roles = [client.read(f"/v1/acl/role/{link['ID']}", needs=NEEDS).data or {} for link in own.get("Roles") or []]
        policies = {f"policy:{link['Name']}" for holder in (own, *roles) for link in holder.get("Policies") or []}
        names = frozenset(policies | {f"role:{role.get('Name')}" for role in roles})
        return cls(own.get("AccessorID", ""), names, moments.epoch(str(own.get("ExpirationTime") or "")))

    def refuse_loss(self, plan: Plan, tokens: Tokens) -> None:
        """Raises UnsafePlan for a plan that changes or deletes any of it: what a commit takes away no later commit could give back,
        and what a commit grants the agent nobody on the host has agreed to."""
        for change in plan.only(Action.UPDATE, Action.DELETE):
            own_token = self.accessor and tokens.accessor(change.name) == self.accessor and not _only_its_file(change)
            if own_token or change.name in self.names:
                what = f"{change.action} {change.name}, which the agent's own token needs"
                raise UnsafePlan(f"{plan.target}: would {what}; change it by hand first")


def _only_its_file(change: Change) -> bool:
    if change.before is None or change.after is None:
        return False
    fields = {*change.before.spec, *change.after.spec} - {"secret_file"}
    return all(change.before.spec.get(field) == change.after.spec.get(field) for field in fields)
