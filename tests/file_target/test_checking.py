"""When the check runs, what it sees, and what becomes of what it says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed, InvalidRevision, Unavailable
from gitops_agent.file_target.complaint import complaint
from tests.conformance.converge import converge, plan
from tests.targets.test_files import FilesSubject, InPlaceSubject


@pytest.fixture(params=[FilesSubject, InPlaceSubject])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> FilesSubject:
    made: FilesSubject = request.param(tmp_path)
    return made


def logged(subject: FilesSubject) -> dict[str, list[str]]:
    """Settings with which every command only writes a line to `log`."""
    log = subject.directory / "log"
    return {name: ["sh", "-c", f"echo {name} >> {log}"] for name in ("check", "reload", "verify")}


def test_each_command_runs_once_and_none_when_there_is_nothing_to_do(subject: FilesSubject) -> None:
    log = subject.directory / "log"
    target = subject.target(**logged(subject))
    converge(target, subject.first)
    assert log.read_text().split() == ["check", "reload", "verify"]
    converge(target, subject.first, applied=subject.first)
    converge(subject.target(**logged(subject)), subject.first, applied=subject.first)
    assert log.read_text().split() == ["check", "reload", "verify"]


def test_another_object_checks_again_before_it_publishes(subject: FilesSubject) -> None:
    made = plan(subject.target(), subject.first)
    list(subject.target(**logged(subject)).apply(made))
    assert (subject.directory / "log").read_text().split() == ["check", "reload", "verify"]


def test_the_check_sees_everything_as_it_will_be(tmp_path: Path) -> None:
    subject = InPlaceSubject(tmp_path)
    converge(subject.target(), subject.first)
    seen = tmp_path / "seen"
    plan(subject.target(check=["cp", "-r", "{staged}", str(seen)]), subject.second, applied=subject.first)
    assert {str(path.relative_to(seen)) for path in seen.rglob("*") if path.is_file()} == {
        *subject.second, "mime.types", "conf.d/theirs.conf"
    }  # fmt: skip
    assert (seen / "main.conf").read_bytes() == subject.second["main.conf"]


def test_a_check_that_edits_its_copy_edits_nothing_else(subject: FilesSubject) -> None:
    converge(subject.target(), subject.first)
    before = subject.look()
    editing = subject.target(check=["sh", "-c", 'find "$0" -type f -exec sh -c "echo edited >> {}" ";"', "{staged}"])
    plan(editing, subject.without, applied=subject.first)
    assert subject.look() == before


def test_the_authors_mistake_has_file_and_line(subject: FilesSubject) -> None:
    with pytest.raises(InvalidRevision) as raised:
        plan(subject.target(), {**subject.first, "conf.d/b.conf": b"good\nbad\n"})
    assert (raised.value.file, raised.value.line) == ("conf.d/b.conf", 2)
    assert str(raised.value) == "conf.d/b.conf:2: bad"


def test_what_cannot_be_reached_is_not_the_authors_mistake(subject: FilesSubject) -> None:
    with pytest.raises(Unavailable, match=r"files: check: conf\.d/b\.conf:1: unreachable"):
        plan(subject.target(), {**subject.first, "conf.d/b.conf": b"unreachable\n"})


@pytest.mark.parametrize("command", [["sleep", "30"], ["no-such-program"], ["sh", "-c", "kill -9 $$"]])
def test_a_check_that_gives_no_verdict_blames_nobody(subject: FilesSubject, command: list[str]) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable):
        plan(subject.target(check=command, check_timeout="200ms"), subject.first)
    assert time.monotonic() - began < 10


def test_a_reload_program_that_is_not_there_is_a_failure(subject: FilesSubject) -> None:
    with pytest.raises(ApplyFailed, match="cannot run no-such-program"):
        converge(subject.target(reload=["no-such-program"]), subject.first)


@pytest.mark.parametrize(
    ("said", "file", "line", "message"),
    [
        ("{staged}/a.conf:12: unknown word", "a.conf", 12, "unknown word"),
        ("noise\nERROR: {staged}/a.conf, line 7, column 3: bad", "a.conf", 7, "ERROR , column 3: bad"),
        ("bad thing in {staged}/with blank.conf:3", "with blank.conf", 3, "bad thing in"),
        ("{staged}/gone.conf: no such file", "gone.conf", 0, "no such file"),
        ("first\nlast words", "", 0, "last words"),
        ("", "", 0, "the check failed and said nothing"),
    ],
)
def test_complaints(tmp_path: Path, said: str, file: str, line: int, message: str) -> None:
    for name in ("a.conf", "with blank.conf"):
        (tmp_path / name).touch()
    error = complaint(said.replace("{staged}", str(tmp_path)), tmp_path)
    assert (error.file, error.line) == (file, line)
    assert str(error).endswith(message)
    assert str(tmp_path) not in str(error)
