"""The part of a plan that a way back carries out."""

from __future__ import annotations

from gitops_agent.model import Action, Change
from gitops_agent.plan import Plan, leave


def test_what_destroys_or_asks_for_somebody_is_left_and_named() -> None:
    plain = Change(Action.UPDATE, "service:web", "its definition changed")
    older = Change(Action.UPDATE, "service:db", "its definition changed", destructive="db's data: 1 is older (forward_only)")
    held = Change(Action.UPDATE, "service:vault", "its definition changed", held="stops the running vault (hold)")
    assert leave(Plan("compose", (older, plain, held), 3)) == (Plan("compose", (plain,), 3), ("service:db", "service:vault"))
