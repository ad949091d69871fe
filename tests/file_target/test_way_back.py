"""When the program does not take what was published, what was before comes back: on the disk, in the program, in the record."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed, CommandFailed
from gitops_agent.model import Files
from gitops_agent.target import Target
from tests.conformance.converge import converge, plan
from tests.conformance.holding import assert_holds
from tests.targets.test_files import FilesSubject, InPlaceSubject


@pytest.fixture(params=[FilesSubject, InPlaceSubject])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> FilesSubject:
    made: FilesSubject = request.param(tmp_path)
    return made


def refused(files: Files) -> Files:
    """`files` with one that passes the check and that the program will not have, one more and one less."""
    kept = {path: content for path, content in files.items() if path != "conf.d/b.conf"}
    return {**kept, "main.conf": b"refused\n", "another.conf": b"x"}


def test_a_refused_reload_brings_back_what_was_before(subject: FilesSubject) -> None:
    converge(subject.target(), subject.first)
    with pytest.raises(CommandFailed, match="the program will not have it; the previous files are back") as raised:
        converge(subject.target(), refused(subject.first), applied=subject.first)
    assert raised.value.status == 3
    assert_holds(subject, subject.first)
    assert not plan(subject.target(), subject.first, applied=subject.first)


def test_the_next_commit_goes_through_after_a_refused_one(subject: FilesSubject) -> None:
    target = subject.target()
    converge(target, subject.first)
    with pytest.raises(CommandFailed):
        converge(target, refused(subject.first), applied=subject.first)
    converge(target, subject.second, applied=subject.first)
    assert_holds(subject, subject.second)


def test_a_refused_first_publish_leaves_nothing(subject: FilesSubject) -> None:
    with pytest.raises(CommandFailed):
        converge(subject.target(), refused(subject.first))
    on_disk = [name for name in subject.look() if name.startswith("disk:") and name not in subject.bystanders]
    assert on_disk == []
    converge(subject.target(), subject.first)
    assert_holds(subject, subject.first)


def test_a_file_that_was_taken_over_goes_back_to_its_owner(tmp_path: Path) -> None:
    subject = InPlaceSubject(tmp_path)
    subject.plant({"main.conf": b"somebody's\n"})
    with pytest.raises(CommandFailed):
        converge(subject.target(adopt=True), refused(subject.first))
    assert (subject.live / "main.conf").read_bytes() == b"somebody's\n"
    (change,) = [change for change in plan(subject.target(), subject.first) if change.name == "main.conf"]
    assert change.action == "refuse"


def test_when_the_way_back_fails_too_it_is_said_and_mended_later(subject: FilesSubject) -> None:
    converge(subject.target(), subject.first)
    broken = subject.target(verify=["false"])
    with pytest.raises(ApplyFailed, match=r"false exited with 1.*and the previous files could not be brought back: false exited"):
        converge(broken, subject.second, applied=subject.first)
    assert plan(subject.target(), subject.first, applied=subject.first), "nobody saw the program load them"
    converge(subject.target(), subject.second, applied=subject.first)
    assert_holds(subject, subject.second)


def test_a_full_disk_in_the_middle_brings_back_what_was_before(subject: FilesSubject) -> None:
    """Failure mode 6: neither half a file nor half a set of files stays."""
    converge(subject.target(check=[]), subject.first)
    large = {**subject.second, "conf.d/a.conf": b"small\n", "z.conf": b"x" * 100_000}
    with largest_file(50_000), pytest.raises(ApplyFailed, match="File too large"):
        converge(subject.target(check=[]), large, applied=subject.first)
    assert_holds(subject, subject.first)


def test_restore_brings_back_the_version_before_once(subject: FilesSubject) -> None:
    target = subject.target()
    assert not target.restore()
    converge(target, subject.first)
    converge(target, subject.second, applied=subject.first)
    assert target.restore()
    assert_holds(subject, subject.first)
    assert_settled(target, subject.first)
    assert not target.restore()


def assert_settled(target: Target, files: Files) -> None:
    assert plan(target, files, applied=files).text() == f"{target.name}: no changes\n"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to write beyond `size`, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
