"""What a rehearsed run says of a target."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.doctor.rehearsal import _target
from gitops_agent.errors import AgentError, Unavailable, UnsafePlan
from gitops_agent.reconcile.planning import TargetPlan
from gitops_agent.target import Site
from tests.reconcile.memory import MemoryTarget, System, settings


@pytest.mark.parametrize(("error", "well"), [(UnsafePlan("would delete everything"), True), (Unavailable("is away"), False)])
def test_only_the_agent_knows_which_plan_is_safe(tmp_path: Path, error: AgentError, well: bool) -> None:
    """Seen live: what the agent had adopted was nobody's to a doctor without its state, and the rest looked like everything."""
    target = MemoryTarget(settings("db"), Site("test", tmp_path, b"k" * 32), System("db", []))
    assert _target(target, TargetPlan(target, None, error)).ok is well
