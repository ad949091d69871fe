"""What one target needs: `compare` makes the plan, `guard` may refuse it. Pure: no I/O, no clock, no configuration.

A plan is data. It prints itself (`text`, `to_json`), so that people, tests, statuses and pages see the same, and it has a digest,
so that consent to a plan is consent to exactly that plan.
"""

from gitops_agent.plan.compare import Applied, compare, nothing_applied
from gitops_agent.plan.guard import Limits, guard, leave
from gitops_agent.plan.plan import Plan

__all__ = ["Applied", "Limits", "Plan", "compare", "guard", "leave", "nothing_applied"]
