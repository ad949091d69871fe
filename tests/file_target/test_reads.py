"""Files that a program reads and somebody else writes: certificates, rendered upstreams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_agent.errors import CommandFailed, InvalidRevision, Unavailable, UnsafePlan
from gitops_agent.model import Action
from gitops_agent.plan import Limits, guard
from tests.conformance.converge import converge, plan
from tests.conformance.holding import assert_holds
from tests.targets.test_files import FilesSubject, InPlaceSubject


@pytest.fixture
def others(tmp_path: Path) -> Path:
    directory = tmp_path / "others"
    directory.mkdir()
    (directory / "upstream.conf").write_text("one\n")
    return directory


@pytest.fixture(params=[FilesSubject, InPlaceSubject])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FilesSubject]:
    made: FilesSubject = request.param(tmp_path)
    yield made
    made.close()


def _count_reloads(subject: FilesSubject) -> None:
    script = (subject.directory / "reload").read_text()
    (subject.directory / "reload").write_text(f"echo >> {subject.directory}/count\n{script}")


def _reloads(subject: FilesSubject) -> int:
    return len((subject.directory / "count").read_text().splitlines())


def test_what_it_reads_changed_and_it_is_told_once(subject: FilesSubject, others: Path) -> None:
    _count_reloads(subject)
    converge(subject.target(reads=[str(others)]), subject.first)
    (others / "upstream.conf").write_text("two\n")
    long_lived = subject.target(reads=[str(others)])
    made = converge(long_lived, subject.first, applied=subject.first)
    assert [(change.name, change.reason) for change in made] == [(f"reads:{others}", "changed since it was loaded")]
    assert _reloads(subject) == 2
    assert not plan(long_lived, subject.first, applied=subject.first)
    assert not plan(subject.target(reads=[str(others)]), subject.first, applied=subject.first)
    assert_holds(subject, subject.first)


@pytest.mark.parametrize("change", ["added", "removed", "switched"])
def test_whatever_changed(subject: FilesSubject, others: Path, change: str) -> None:
    if change == "switched":
        for version in ("1", "2"):
            (others / "versions" / version).mkdir(parents=True)
            (others / "versions" / version / "ca.pem").write_text(version)
        (others / "current").symlink_to("versions/1")
    converge(subject.target(reads=[str(others)]), subject.first)
    if change == "added":
        (others / "below").mkdir()
        (others / "below/new.conf").write_text("new\n")
    elif change == "removed":
        (others / "upstream.conf").unlink()
    else:
        (others / "versions/1/ca.pem").touch()
        assert not plan(subject.target(reads=[str(others)]), subject.first, applied=subject.first)
        (others / "current").unlink()
        (others / "current").symlink_to("versions/2")
    assert plan(subject.target(reads=[str(others)]), subject.first, applied=subject.first)


def test_naming_a_directory_later_reloads_nothing(subject: FilesSubject, others: Path) -> None:
    """Failure mode 19: adopting restarts nothing."""
    converge(subject.target(), subject.first)
    _count_reloads(subject)
    made = converge(subject.target(reads=[str(others)]), subject.first, applied=subject.first)
    assert not made.writes
    assert not (subject.directory / "count").exists()
    (others / "upstream.conf").write_text("two\n")
    assert [change.action for change in plan(subject.target(reads=[str(others)]), subject.first)] == [Action.UPDATE]


def test_what_fails_the_check_is_never_loaded(subject: FilesSubject, others: Path) -> None:
    with (subject.directory / "check").open("w") as script:
        script.write(f"grep -rn bad {others} >&2 && exit 1\nexit 0\n")
    _count_reloads(subject)
    target = subject.target(reads=[str(others)])
    converge(target, subject.first)
    (others / "upstream.conf").write_text("bad\n")
    for _ in range(2):
        with pytest.raises(InvalidRevision, match="bad"):
            converge(target, subject.first, applied=subject.first)
    assert _reloads(subject) == 1
    (others / "upstream.conf").write_text("good\n")
    converge(target, subject.first, applied=subject.first)
    assert _reloads(subject) == 2


def test_what_the_program_refuses_is_tried_again_and_nothing_is_brought_back(subject: FilesSubject, others: Path) -> None:
    target = subject.target(reads=[str(others)])
    converge(target, subject.first)
    converge(target, subject.second, applied=subject.first)
    script = (subject.directory / "reload").read_text()
    (subject.directory / "reload").write_text("exit 3")
    (others / "upstream.conf").write_text("two\n")
    with pytest.raises(CommandFailed):
        converge(target, subject.second, applied=subject.second)
    assert_holds(subject, subject.second)
    (subject.directory / "reload").write_text(script)
    assert converge(target, subject.second, applied=subject.second)
    assert not plan(target, subject.second, applied=subject.second)


def test_it_does_not_hide_that_everything_would_go(subject: FilesSubject, others: Path) -> None:
    """Failure mode 14."""
    target = subject.target(reads=[str(others)])
    converge(target, subject.first)
    with pytest.raises(UnsafePlan, match="would delete everything"):
        guard(plan(target, {}, applied=subject.first), Limits())


def test_a_change_rings(subject: FilesSubject, others: Path) -> None:
    target = subject.target(reads=[str(others)])
    converge(target, subject.first)
    with closing(target.watch()) as watch:  # type: ignore[type-var]
        assert next(watch) == ""
        (others / "upstream.conf").write_text("two\n")
        assert next(reason for reason in watch if reason) == "upstream.conf changed"


@pytest.mark.parametrize("nothing", ["", "\n  \n"])
def test_one_that_became_empty_is_never_loaded(subject: FilesSubject, others: Path, nothing: str) -> None:
    """Neither on its own nor with a push; its name is said. Removed, or filled again, it is what it is."""
    _count_reloads(subject)
    (others / "always-empty.conf").touch()
    target = subject.target(reads=[str(others)])
    converge(target, subject.first)
    (others / "upstream.conf").write_text(nothing)
    for files in (subject.first, subject.second):
        for asked in (target, subject.target(reads=[str(others)])):
            with pytest.raises(Unavailable, match=f"^{others}/upstream.conf became empty and is not loaded"):
                converge(asked, files, applied=subject.first)
    assert _reloads(subject) == 1
    assert_holds(subject, subject.first)
    (others / "upstream.conf").write_text("two\n")
    converge(target, subject.first, applied=subject.first)
    (others / "upstream.conf").unlink()
    converge(target, subject.first, applied=subject.first)
    assert _reloads(subject) == 3
