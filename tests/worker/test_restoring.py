"""When there is a way back, and how it ends, on systems in this process; tests/worker/test_restore.py has the whole agent."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Superseded, Unavailable
from gitops_agent.model import Health, HealthStatus
from gitops_agent.settings import EnvironmentSettings
from gitops_agent.worker.restoring import Restoration, Restored
from tests.reconcile.test_run import Stage, happened, make  # noqa: F401 -- the fixtures

DEGRADED = Health(HealthStatus.DEGRADED, "it crashes")


def nothing() -> None:
    pass


def restoration(stage: Stage, on_failure: str = "restore", **settings: object) -> Restoration:
    given = {"source": str(stage.repository), "on_failure": on_failure, **settings}
    return Restoration(stage.reconciler, EnvironmentSettings.model_validate(given), stage.repository.parent)


@pytest.fixture
def failed(make):  # noqa: F811
    """Two systems after a commit with which the second does not work, and the error that ended its run."""
    stage, a, b = make("a", "b")
    stage.commit(a__x="1", b__x="1")
    stage.run()
    stage.commit(a__x="2", b__x="2")
    b.health = DEGRADED
    error = stage.fails(ApplyFailed)
    stage.progress.run = replace(stage.progress.run, revision=stage.source.head())
    b.health = Health(HealthStatus.HEALTHY)
    return stage, a, b, error


def test_what_was_applied_is_brought_back(failed):
    stage, a, b, error = failed
    said = []
    ended = restoration(stage).after(error, stage.progress, nothing, lambda _: None, said.append)
    assert isinstance(ended, Restored)
    assert (a.content, b.content) == ({"x": "1"}, {"x": "1"})
    applied = stage.source.applied()
    assert str(ended) == f"brought back {applied.short}; b is degraded: it crashes"
    assert said == [f"bringing back {applied.short}; b is degraded: it crashes"]
    results = {name: result.message for name, result in stage.progress.results.items()}
    assert results == {"a": "brought back: 1 updated", "b": "brought back: 1 updated; b is degraded: it crashes"}


@pytest.mark.parametrize(
    "error",
    [None, Unavailable("away"), Conflict("somebody else was faster"), Superseded(None)],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_the_commits_fault_starts_no_way_back(failed, error):
    stage, a, _, _ = failed
    assert restoration(stage).after(error, stage.progress, nothing, lambda _: None, lambda _: None) is error
    assert a.content == {"x": "2"}


def test_with_halt_what_was_applied_stays(failed):
    stage, a, _, error = failed
    assert restoration(stage, "halt").after(error, stage.progress, nothing, lambda _: None, lambda _: None) is error
    assert (a.content, stage.source.restoring()) == ({"x": "2"}, None)


def test_what_touched_nothing_needs_no_way_back(failed):
    stage, *_ = failed
    stage.commit(a__x="garbage")
    error = stage.fails(InvalidRevision)
    assert restoration(stage).after(error, stage.progress, nothing, lambda _: None, lambda _: None) is error


def test_what_is_away_is_waited_for_on_the_way_back(failed):
    stage, a, _, error = failed
    a.reachable = False

    def pause(_seconds: float) -> None:
        a.reachable = True

    ended = restoration(stage).after(error, stage.progress, nothing, pause, lambda _: None)
    assert str(ended).startswith("brought back ")
    assert a.content == {"x": "1"}


def test_until_the_time_is_over(failed):
    stage, a, _, error = failed
    a.reachable = False
    back = restoration(stage, restore_timeout=1)
    ended = back.after(error, stage.progress, nothing, lambda _: None, lambda _: None)
    assert "could not be brought back: a skipped: a is away" in str(ended)
    back.concluded()
    assert back.held_at(stage.source.applied()) is None, "nobody tries again"
    assert stage.source.unrestored() == stage.progress.run.revision


def test_an_agent_that_is_told_to_stop_goes_on_later(failed):
    stage, a, _, error = failed

    def stop() -> None:
        raise Superseded(None)

    back = restoration(stage)
    assert isinstance(back.after(error, stage.progress, stop, lambda _: None, lambda _: None), Superseded)
    back.concluded()
    bad = stage.source.head()
    assert back.cut_short == bad
    ended = restoration(stage).go_on(stage.source.applied(), stage.progress, nothing, lambda _: None)
    assert str(ended).endswith(", begun in an earlier run")
    assert a.content == {"x": "1"}


def test_its_time_goes_on_while_no_agent_runs(failed):
    """Failure mode 48: however often it is cut short, it ends."""
    stage, _, _, error = failed

    def stop() -> None:
        raise Superseded(None)

    restoration(stage, restore_timeout=0.2).after(error, stage.progress, stop, lambda _: None, lambda _: None)
    time.sleep(0.25)
    back = restoration(stage, restore_timeout=0.2)
    ended = back.go_on(stage.source.applied(), stage.progress, nothing, lambda _: None)
    assert "could not be brought back: it took longer than 0.2 s" in str(ended)
    back.concluded()
    assert (back.cut_short, stage.source.unrestored()) == (None, stage.source.head())


def test_a_health_that_never_comes_on_the_way_back_is_its_end(failed):
    stage, _, b, error = failed
    b.health = DEGRADED
    back = restoration(stage)
    ended = back.after(error, stage.progress, nothing, lambda _: None, lambda _: None)
    assert "could not be brought back: b is degraded" in str(ended)
    assert stage.progress.results["b"].message.startswith("not brought back: b is degraded")
