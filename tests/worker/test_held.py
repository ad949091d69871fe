"""What a run makes of a plan that holds something back: the whole waits, and nothing that was not asked about slips through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_agent.errors import AwaitingApproval, Unavailable
from gitops_agent.gate import Approvals, Gate
from gitops_agent.journal import Journal
from gitops_agent.model import Action, Outcome
from gitops_agent.plan import Plan
from gitops_agent.report import Heralds
from gitops_agent.settings import EnvironmentSettings
from gitops_agent.worker.attempt import Attempt
from gitops_agent.worker.reporting import Reporter
from gitops_agent.worker.restoring import Restoration
from gitops_agent.worker.schedule import Decision
from gitops_agent.worker.wishes import Wishes
from tests.reconcile.memory import MemoryTarget
from tests.reconcile.test_run import Stage, happened, make  # noqa: F401 -- fixtures


class Holding(MemoryTarget):
    """Whatever is there already is changed with approval only."""

    def review(self, plan: Plan) -> Plan:
        return replace(plan, changes=tuple(
            replace(change, held=f"stops {change.name}" if change.action is Action.UPDATE else "") for change in plan
        ))  # fmt: skip


@pytest.fixture
def attempt(tmp_path: Path) -> Callable[..., tuple[Exception | None, Attempt]]:
    approvals = Approvals("test", tmp_path, manual=False)
    journal = Journal(tmp_path / "journal.sqlite3")
    reporter = Reporter("test", journal, "http://agent", lambda: None, Heralds([], tmp_path, b"k" * 32), statuses=True)

    def run(stage: Stage, *, whole: bool = True, approve: str = "") -> tuple[Exception | None, Attempt]:
        if approve:
            approvals.give(approve)
        restoration = Restoration(stage.reconciler, EnvironmentSettings(source="/srv/config.git"), tmp_path)
        decision = Decision(stage.source.fetch(), "webhook", whole=whole)
        made = Attempt("test", decision, stage.reconciler, reporter, Gate(approvals), Wishes(), restoration)
        return made.run(stop=lambda: None, pause=lambda _seconds: None, fetched=True), made

    yield run
    journal.close()


def test_the_whole_run_waits_for_what_is_held(make, attempt):  # noqa: F811
    stage, other, vault = make("other", "vault", kinds={"vault": Holding})
    stage.commit(other__a="1", vault__a="1")
    assert attempt(stage)[0] is None, "what is not there yet is not held"
    stage.commit(other__a="2", vault__a="2")
    error, run = attempt(stage)
    assert isinstance(error, AwaitingApproval)
    assert str(error) == f"awaits approval (stops a): gitops-agent approve test {error.digest}"
    assert run.progress.run.outcome is Outcome.AWAITING
    assert (other.content, vault.content) == ({"a": "1"}, {"a": "1"})
    assert attempt(stage, approve=error.digest)[0] is None
    assert (other.content, vault.content) == ({"a": "2"}, {"a": "2"})


def test_other_changes_do_not_wait(make, attempt):  # noqa: F811
    stage, other, vault = make("other", "vault", kinds={"vault": Holding})
    stage.commit(other__a="1", vault__a="1")
    attempt(stage)
    stage.commit(other__a="2", vault__b="new")
    assert attempt(stage)[0] is None
    assert (other.content, vault.content) == ({"a": "2"}, {"a": "1", "b": "new"})


def test_drift_of_what_is_held_is_not_healed_without_approval(make, attempt):  # noqa: F811
    stage, vault = make("vault", kinds={"vault": Holding})
    stage.commit(vault__a="1")
    attempt(stage)
    vault.content["a"] = "by hand"
    error, _ = attempt(stage, whole=False)
    assert isinstance(error, AwaitingApproval)
    assert vault.content == {"a": "by hand"}


def test_drift_that_is_only_reported_asks_nobody(make, attempt):  # noqa: F811
    stage, vault = make("vault", kinds={"vault": Holding}, options={"vault": {"drift": "report"}})
    stage.commit(vault__a="1")
    attempt(stage)
    vault.content["a"] = "by hand"
    error, run = attempt(stage, whole=False)
    assert error is None
    assert run.progress.results["vault"].drift


def test_what_was_planned_too_late_to_be_asked_about_is_left_for_the_next_run(make, attempt):  # noqa: F811
    stage, network, vault = make("network", "vault", kinds={"vault": Holding})
    stage.commit(network__a="1", vault__a="1")
    attempt(stage)
    stage.commit(network__a="2", vault__a="2")
    vault.reachable = False
    network.on_write = lambda _name: setattr(vault, "reachable", True)
    error, _ = attempt(stage)
    assert isinstance(error, Unavailable)
    assert "stops a needs approval, which the next run asks for" in str(error)
    assert (network.content, vault.content) == ({"a": "2"}, {"a": "1"})
    error, _ = attempt(stage)
    assert isinstance(error, AwaitingApproval)
