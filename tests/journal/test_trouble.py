"""A journal that cannot be used stops reporting, never reconciling; it says so once, and comes back by itself.

Failure modes 6 and 64 where the disk is to blame: full, read-only, locked, corrupt, taken away, killed in the middle.
"""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_agent import metrics
from gitops_agent.journal import Journal, JournalLost
from gitops_agent.journal.tables import VERSION
from gitops_agent.model import StatusState
from tests.conftest import ROOT
from tests.journal.entries import ENVIRONMENT, finished, run, sha, status


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    kept = Journal(path, patience=0.0)
    yield kept
    kept.close()


def lost() -> float | None:
    return metrics.registry.get_sample_value("gitops_agent_journal_lost")


def test_a_locked_journal_is_lost_for_a_moment_and_comes_back(
    journal: Journal, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal.record(run(1))
    somebody = sqlite3.connect(path)
    somebody.execute("BEGIN EXCLUSIVE")
    for number in (2, 3):
        with pytest.raises(JournalLost, match="database is locked"):
            journal.record(run(number))
    assert lost() == 1
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1, "said once"
    assert [found.id for found in journal.runs()] == ["run-1"], "readers do not wait for writers"
    assert lost() == 1, "that it can be read does not mean that it can be written"
    somebody.rollback()
    somebody.close()
    journal.record(run(4))
    assert lost() == 0
    assert "can be used again" in caplog.text


def test_what_could_not_be_written_is_written_once_it_can(journal: Journal, path: Path) -> None:
    """Failure mode 51: a run that ended while the disk was full has its report, or its commit would be pending for ever."""
    journal.record(run(1), [status(1, StatusState.PENDING)])
    somebody = sqlite3.connect(path)
    somebody.execute("BEGIN EXCLUSIVE")
    with pytest.raises(JournalLost):
        journal.record(finished(1), [status(1, StatusState.FAILURE, "no")])
    with pytest.raises(JournalLost):
        journal.record(run(2), [status(2, StatusState.PENDING)])
    with pytest.raises(JournalLost):
        journal.record(finished(2), [status(2, StatusState.FAILURE, "no")])
    with pytest.raises(JournalLost):
        journal.settle()
    assert [found.id for found in journal.runs()] == ["run-1"]
    somebody.close()
    journal.settle()
    assert [journal.run(f"run-{number}") for number in (1, 2)] == [finished(1), finished(2)]
    said = [journal.last(sha(number), "gitops/mini-cloud") for number in (1, 2)]
    assert said == [status(number, StatusState.FAILURE, "no") for number in (1, 2)]


def test_a_disk_that_stays_full_does_not_fill_the_memory(path: Path) -> None:
    journal = Journal(path, patience=60.0)
    journal.record(run(1))
    somebody = sqlite3.connect(path)
    somebody.execute("BEGIN EXCLUSIVE")
    for number in range(2, 500):
        with pytest.raises(JournalLost):
            journal.record(finished(number))
    somebody.close()
    journal._lost_until = 0.0
    journal.settle()
    assert len(journal.runs(limit=1000)) == 101
    journal.close()


def test_while_it_is_lost_nobody_waits_for_it(path: Path) -> None:
    journal = Journal(path, patience=60.0)
    journal.record(run(1))
    somebody = sqlite3.connect(path)
    somebody.execute("BEGIN EXCLUSIVE")
    with pytest.raises(JournalLost):
        journal.record(run(2))
    began = time.monotonic()
    for number in range(3, 50):
        with pytest.raises(JournalLost, match="database is locked"):
            journal.record(run(number))
    assert time.monotonic() - began < 0.5, "a lock alone takes a second to time out"
    somebody.close()
    journal.close()


@pytest.mark.parametrize("place", ["/proc/gitops-agent/journal.sqlite3", "/dev/null/journal.sqlite3"])
def test_where_nothing_can_be_written_it_is_lost(place: str) -> None:
    """Whoever runs the tests: even root cannot write there."""
    journal = Journal(Path(place))
    with pytest.raises(JournalLost, match="the journal cannot be opened"):
        journal.record(run(1))
    with pytest.raises(JournalLost):
        journal.runs()


_FULL = """
import resource, sys
from pathlib import Path
from gitops_agent.journal import Journal, JournalLost
from tests.journal.entries import finished

journal = Journal(Path(sys.argv[1]), patience=0.0)
journal.record(finished(0))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # no file may grow beyond: the disk is full
number = 0
try:
    while number < 1000:
        number += 1
        journal.record(finished(number, message="x" * 2000))
except JournalLost as error:
    print("lost:", error)
    kept = len(journal.runs(limit=2000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    journal.record(finished(number))
    print("kept:", kept == number and len(journal.runs(limit=2000)) == number + 1)
"""


def test_a_full_disk_loses_what_does_not_fit_and_nothing_else(path: Path) -> None:
    """Failure mode 68 in its worst form."""
    command = [sys.executable, "-c", _FULL, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    said, kept = done.stdout.splitlines()
    assert said.startswith("lost: the journal cannot be used: ")
    assert kept == "kept: True"


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_what_is_no_database_is_moved_aside(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    journal = Journal(path)
    journal.record(run(1))
    assert journal.run("run-1") == run(1)
    (aside,) = path.parent.glob("journal.sqlite3.corrupt-*Z")
    assert aside.read_bytes() == content
    assert "the journal is corrupt" in caplog.text
    assert lost() == 0, "it goes on at once, with a new one"
    journal.close()


def test_a_journal_that_rots_while_it_is_used_is_replaced(journal: Journal, path: Path) -> None:
    for number in range(200):
        journal.record(finished(number))
    journal.close()
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = os.urandom(len(damaged) - 4096)  # the first page is whole: it opens, and breaks later
    path.write_bytes(damaged)
    journal.record(run(1000), [status(1000, StatusState.PENDING)])
    assert journal.run("run-1000") == run(1000)
    assert [item.uncertain for item in journal.due(ENVIRONMENT)] == [True], "what was reported before is not known any more"
    assert len(list(path.parent.glob("journal.sqlite3.corrupt-*Z"))) == 1


def test_corrupt_journals_do_not_pile_up(path: Path) -> None:
    path.parent.mkdir()
    for number in range(5):
        (path.parent / f"journal.sqlite3.corrupt-2026010{number}T000000Z").touch()
    path.write_text("no database either" * 100)
    journal = Journal(path)
    journal.record(run(1))
    kept = sorted(found.name for found in path.parent.glob("journal.sqlite3.corrupt-*"))
    assert len(kept) == 2
    assert kept[0].endswith("20260104T000000Z")
    journal.close()


def test_a_journal_that_was_taken_away_is_started_anew(journal: Journal, path: Path) -> None:
    """Written to a file that has no name any more, everything would be gone with the process."""
    journal.record(run(1))
    for file in path.parent.iterdir():
        file.unlink()
    journal.record(run(2))
    again = Journal(path)
    assert [found.id for found in again.runs()] == ["run-2"]
    again.close()


def test_a_journal_of_a_newer_agent_is_left_alone(journal: Journal, path: Path) -> None:
    journal.record(run(1))
    journal.close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE schema_version SET version = ?", (VERSION + 1,))
    raw.close()
    before = path.read_bytes()
    said = f"the journal has schema {VERSION + 1}, this agent knows {VERSION}: use the newer agent, or move the file away"
    with pytest.raises(JournalLost, match=said):
        journal.record(run(2))
    assert path.read_bytes() == before


def test_threads_share_it(journal: Journal) -> None:
    """Workers, couriers and the web ask at the same time."""

    def work(environment: str) -> None:
        for number in range(30):
            run_id = f"{environment}-{number}"
            journal.record(finished(number, environment, id=run_id))
            found = journal.run(run_id)
            assert found is not None
            journal.runs(environment, limit=5)

    names = ["a", "b", "c", "d"]
    failures: list[BaseException] = []

    def guarded(name: str) -> None:
        try:
            work(name)
        except BaseException as error:  # noqa: BLE001 -- shown by the test
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(journal.runs(limit=1000)) == 120


_KILLED = """
import sys
from pathlib import Path
from gitops_agent.journal import Journal
from gitops_agent.model import StatusState
from tests.journal.entries import finished, run, status

journal = Journal(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(100_000):
    journal.record(run(number), [status(number, StatusState.PENDING)])
    journal.record(finished(number), [status(number, StatusState.FAILURE, "no")])
"""


@pytest.mark.parametrize("after", [0.0, 0.013, 0.031, 0.074, 0.15])
def test_killed_at_any_moment_no_finished_run_is_without_its_report(path: Path, after: float) -> None:
    """Failure mode 64: kill -9. Power may cost the last moments (synchronous = NORMAL), never this."""
    with subprocess.Popen([sys.executable, "-c", _KILLED, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(after)  # the moment is what is varied
        writer.send_signal(signal.SIGKILL)
    journal = Journal(path)
    for found in journal.runs(limit=2000):
        said = [known.state for known in journal.statuses(found.revision.sha)]
        assert said == [StatusState.PENDING if found.outcome is None else StatusState.FAILURE]
    assert len([found for found in journal.runs(limit=2000) if found.outcome is None]) <= 1
    journal.record(run(200_000), [status(200_000, StatusState.PENDING)])
    assert journal.last(sha(200_000), "gitops/mini-cloud") is not None
    journal.close()
