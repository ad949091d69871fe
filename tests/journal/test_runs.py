"""Runs are kept as they were, newest first, and not for ever."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_agent import secret
from gitops_agent.journal import Journal
from gitops_agent.model import StatusState, Step
from tests.journal.entries import finished, run, status


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    kept = Journal(tmp_path / "journal.sqlite3", keep_runs=20)
    yield kept
    kept.close()


def test_a_run_is_kept_as_it_was(journal: Journal) -> None:
    journal.record(run(1))
    assert journal.run("run-1") == run(1)
    journal.record(finished(1))
    assert journal.run("run-1") == finished(1)
    assert journal.run("run-2") is None


def test_runs_come_newest_first_by_page_and_environment(journal: Journal) -> None:
    """Failure mode 66: newest is what began last, whatever the clock said."""
    for number in range(1, 8):
        journal.record(finished(number, "mini-cloud" if number % 2 else "other", started=100.0 - number))
    assert [found.id for found in journal.runs(limit=3)] == ["run-7", "run-6", "run-5"]
    assert [found.id for found in journal.runs(limit=3, before="run-5")] == ["run-4", "run-3", "run-2"]
    assert [found.id for found in journal.runs("mini-cloud", before="run-5")] == ["run-3", "run-1"]
    assert journal.runs("nobody") == []
    assert journal.runs(before="never-was") == []


def test_lists_leave_out_the_plans(journal: Journal) -> None:
    journal.record(finished(1))
    assert journal.runs() == [replace(finished(1), plans=())]


def test_a_run_that_was_cut_short_stays_without_an_outcome(journal: Journal, tmp_path: Path) -> None:
    """Failure mode 64."""
    steps = (Step("fetch", 1.0, 2.0),)
    journal.record(run(1, steps=steps))
    journal.close()
    again = Journal(tmp_path / "journal.sqlite3")
    (found,) = again.runs()
    assert (found.outcome, found.steps) == (None, steps)
    again.close()


def test_it_survives_a_restart(journal: Journal, tmp_path: Path) -> None:
    journal.record(finished(1), [status(1, StatusState.FAILURE, "no")])
    journal.close()
    again = Journal(tmp_path / "journal.sqlite3")
    assert again.run("run-1") == finished(1)
    assert again.statuses(run(1).revision.sha) == [status(1, StatusState.FAILURE, "no")]
    again.close()


def test_only_the_newest_runs_and_their_statuses_are_kept(journal: Journal) -> None:
    """Failure mode 68: each environment has its own newest; what another one does takes nothing from it."""
    journal.record(finished(1, "quiet"))
    for number in range(2, 100):
        contexts = [f"gitops/mini-cloud/target-{index}" for index in range(30)]
        journal.record(finished(number), [status(number, StatusState.SUCCESS, context=context) for context in contexts])
    assert len(journal.runs(limit=1000)) == 21
    assert journal.run("run-1") is not None
    assert journal.run("run-99") is not None
    kept = sum(len(journal.statuses(run(number).revision.sha)) for number in range(100))
    assert kept == 20 * 20


@pytest.mark.slow
def test_a_thousand_runs_take_no_more_room_than_five_hundred(journal: Journal, tmp_path: Path) -> None:
    """Failure mode 68, on the disk: what is forgotten makes room for what comes."""
    sizes = []
    for number in range(1000):
        journal.record(finished(number), [status(number, StatusState.SUCCESS)])
        sizes.append(sum(file.stat().st_size for file in tmp_path.iterdir()))
    assert max(sizes[500:]) <= 1.02 * max(sizes[:500])


def test_a_huge_plan_is_kept_without_its_diffs(journal: Journal) -> None:
    changes = [
        {"action": "create", "name": f"kv:{n}", "reason": "absent", "diff": "+ x" * 300, "destructive": ""} for n in range(1000)
    ]
    journal.record(finished(1, plans=({"target": "consul", "digest": "d", "summary": "1000 created", "changes": changes},)))
    kept = journal.run("run-1")
    assert kept is not None
    assert [change["name"] for change in kept.plans[0]["changes"]] == [change["name"] for change in changes]
    assert {change["diff"] for change in kept.plans[0]["changes"]} == {""}


def test_no_secret_reaches_the_disk(journal: Journal, tmp_path: Path) -> None:
    """Failure mode 59: whatever carries it there, and however JSON writes it."""
    canary = 'can"ary-of-the-journal-7c1e'
    secret.remember(canary)
    step = Step("apply nginx", 1.0, 2.0, "failed", f"said {canary}")
    plan = {"target": "nginx", "digest": "d", "summary": "", "changes": [{"diff": canary}]}
    journal.record(finished(1, message=canary, trigger=f"drift: {canary}", steps=(step,), plans=(plan,)))
    kept = journal.run("run-1")
    assert kept is not None
    assert kept.message == "(sensitive)"
    assert kept.steps[0].detail == "said (sensitive)"
    journal.close()
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for form in (canary, json.dumps(canary)[1:-1]):
        assert form.encode() not in everything


def test_the_file_is_the_agents_alone(journal: Journal, tmp_path: Path) -> None:
    journal.record(run(1))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    with sqlite3.connect(tmp_path / "journal.sqlite3") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()
