"""What lies in a published directory, and whose it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from gitops_agent import secret
from gitops_agent.errors import ApplyFailed, ConfigError, Unavailable, UnsafePlan
from gitops_agent.model import Action
from gitops_agent.secret import Secret
from gitops_agent.target import Site
from tests.conformance.converge import CANARY, converge, plan
from tests.conformance.subject import KEY, REFERENCE, build
from tests.targets.test_files import FilesSubject, InPlaceSubject


@pytest.fixture(params=[FilesSubject, InPlaceSubject])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> FilesSubject:
    made: FilesSubject = request.param(tmp_path)
    return made


@pytest.fixture
def in_place(tmp_path: Path) -> InPlaceSubject:
    return InPlaceSubject(tmp_path)


@pytest.fixture
def switch(tmp_path: Path) -> FilesSubject:
    return FilesSubject(tmp_path)


def test_files_are_readable_whatever_the_umask(subject: FilesSubject) -> None:
    before = os.umask(0o077)
    try:
        converge(subject.target(), {**subject.first, "new/deep/x.conf": b"x"})
    finally:
        os.umask(before)
    assert mode(subject.live / "new/deep/x.conf") == 0o644
    assert mode(subject.live / "new/deep") == mode(subject.live / "new") == 0o755


def test_a_file_with_a_secret_is_for_its_owner_alone_and_stays_so(subject: FilesSubject) -> None:
    files = subject.with_secret(secret.placeholder(Secret(REFERENCE), KEY))
    converge(subject.target(), files)
    password = subject.live / "password"
    assert password.read_text() == CANARY
    assert mode(password) == 0o600
    password.chmod(0o644)
    made = converge(subject.target(), files, applied=files)
    assert [change.reason for change in made] == ["differs in mode"]
    assert mode(password) == 0o600


def test_a_file_that_becomes_secret_is_never_readable_with_the_secret_in_it(in_place: InPlaceSubject) -> None:
    before = {**in_place.first, "password": b"none\n"}
    converge(in_place.target(), before)
    inode = (in_place.live / "password").stat().st_ino
    converge(in_place.target(), in_place.with_secret(secret.placeholder(Secret(REFERENCE), KEY)), applied=before)
    assert mode(in_place.live / "password") == 0o600
    assert (in_place.live / "password").stat().st_ino == inode


def test_the_mode_of_secrets_is_a_setting(subject: FilesSubject) -> None:
    files = subject.with_secret(secret.placeholder(Secret(REFERENCE), KEY))
    converge(subject.target(secret_mode="0640"), files)
    assert mode(subject.live / "password") == 0o640


def test_ignored_paths_are_neither_published_nor_healed(subject: FilesSubject) -> None:
    files = {**subject.first, "upstreams/.gitkeep": b""}
    target = subject.target(ignore=["upstreams/*"])
    converge(target, files)
    written = subject.live / "upstreams/app.conf"
    written.parent.mkdir()
    written.write_bytes(b"server 10.0.0.1;\n")
    assert not plan(target, files, applied=files)
    converge(target, {**subject.second, "upstreams/.gitkeep": b""}, applied=files)
    assert (subject.live / "upstreams/app.conf").read_bytes() == b"server 10.0.0.1;\n"
    assert not (subject.live / "upstreams/.gitkeep").exists()


def test_rewriting_in_place_keeps_the_inode(in_place: InPlaceSubject) -> None:
    """Failure mode 11: a container that mounts the single file would keep the old one."""
    converge(in_place.target(), in_place.first)
    before = (in_place.live / "main.conf").stat().st_ino
    converge(in_place.target(), in_place.second, applied=in_place.first)
    assert (in_place.live / "main.conf").stat().st_ino == before


def test_switching_never_changes_what_a_reader_has_open(switch: FilesSubject) -> None:
    """Failure mode 11: whoever has begun to read the old version reads it to its end."""
    converge(switch.target(), switch.first)
    old = switch.live.resolve()
    converge(switch.target(), switch.second, applied=switch.first)
    assert (old / "main.conf").read_bytes() == switch.first["main.conf"]
    assert switch.live.resolve() != old


def test_old_versions_and_leftovers_are_bounded(switch: FilesSubject) -> None:
    """Failure mode 68."""
    leftover = switch.published / ".gitops-agent/staged-dead/version"
    leftover.mkdir(parents=True)
    before = switch.first
    for number in range(8):
        after = {**switch.first, "main.conf": f"{number}\n".encode()}
        converge(switch.target(keep=2), after, applied=before)
        before = after
    assert len(list((switch.published / "versions").iterdir())) <= 2 + 2  # the one in use, and the one before it
    assert not leftover.exists()


def test_a_version_that_somebody_edited_is_not_used_again(switch: FilesSubject) -> None:
    converge(switch.target(), switch.first)
    edited = switch.live.resolve()
    switch.tamper()
    converge(switch.target(), switch.first, applied=switch.first)
    assert switch.live.resolve() != edited
    assert (switch.live / "main.conf").read_bytes() == switch.first["main.conf"]


def test_a_link_that_somebody_moved_is_moved_back(switch: FilesSubject) -> None:
    converge(switch.target(), switch.first)
    old = switch.live.readlink()
    converge(switch.target(), switch.second, applied=switch.first)
    switch.live.unlink()
    switch.live.symlink_to(old)
    converge(switch.target(), switch.second, applied=switch.second)
    assert (switch.live / "main.conf").read_bytes() == switch.second["main.conf"]


def test_directories_are_never_removed_in_place(in_place: InPlaceSubject) -> None:
    """Failure mode 36: one may be mounted in a container, which would keep seeing the removed one."""
    files = {**in_place.first, "mounted/x.conf": b"x"}
    converge(in_place.target(), files)
    before = (in_place.live / "mounted").stat().st_ino
    converge(in_place.target(), in_place.first, applied=files)
    assert (in_place.live / "mounted").stat().st_ino == before


def test_a_file_may_become_a_folder_and_back(subject: FilesSubject) -> None:
    flat, deep = {**subject.first, "site": b"flat"}, {**subject.first, "site/a.conf": b"deep"}
    converge(subject.target(), flat)
    converge(subject.target(), deep, applied=flat)
    assert (subject.live / "site/a.conf").read_bytes() == b"deep"
    converge(subject.target(), flat, applied=deep)
    assert (subject.live / "site").read_bytes() == b"flat"


def test_a_folder_with_something_foreign_does_not_become_a_file(in_place: InPlaceSubject) -> None:
    converge(in_place.target(), in_place.first)
    files = {**in_place.first, "conf.d": b"flat"}
    del files["conf.d/a.conf"], files["conf.d/b.conf"]
    with pytest.raises(UnsafePlan, match=r"conf\.d not ours"):
        converge(in_place.target(), files, applied=in_place.first)
    with pytest.raises(ApplyFailed, match="not empty; the previous files are back"):
        converge(in_place.target(adopt=True), files, applied=in_place.first)
    assert (in_place.live / "conf.d/a.conf").read_bytes() == b"a\n"


def test_a_link_under_a_desired_name_is_somebody_elses(in_place: InPlaceSubject, tmp_path: Path) -> None:
    """Failure mode 17: writing through it would change a file outside the directory."""
    outside = tmp_path / "outside"
    outside.write_bytes(in_place.first["main.conf"])
    (in_place.live / "main.conf").symlink_to(outside)
    with pytest.raises(UnsafePlan, match=r"main\.conf not ours"):
        converge(in_place.target(), in_place.first)
    converge(in_place.target(adopt=True), {**in_place.first, "main.conf": b"new\n"})
    assert outside.read_bytes() == in_place.first["main.conf"]
    assert (in_place.live / "main.conf").read_bytes() == b"new\n"


def test_without_prune_what_is_no_longer_declared_stays(subject: FilesSubject) -> None:
    converge(subject.target(), subject.first)
    made = converge(subject.target(prune=False), subject.second, applied=subject.first)
    assert Action.DELETE not in [change.action for change in made]
    assert (subject.live / "conf.d/b.conf").exists()


def test_a_directory_of_another_environment_is_refused(subject: FilesSubject, tmp_path: Path) -> None:
    """Failure mode 16."""
    converge(subject.target(), subject.first)
    other = build("files", subject.settings(), Site("another", tmp_path, KEY))
    with pytest.raises(ConfigError, match=r"is published by conformance/files; to take it over, remove .*record\.json"):
        plan(other, subject.first)


def test_a_lost_or_damaged_record_costs_an_adoption(in_place: InPlaceSubject) -> None:
    converge(in_place.target(), in_place.first)
    record = in_place.published / ".gitops-agent/record.json"
    for damage in (record.unlink, lambda: record.write_bytes(b'{"owner": "conf')):
        damage()
        made = converge(in_place.target(), in_place.first)
        assert {change.action for change in made} == {Action.ADOPT}
        assert not plan(in_place.target(), in_place.first)


def test_what_stands_where_the_link_should_is_not_replaced(switch: FilesSubject) -> None:
    switch.live.mkdir(parents=True)
    with pytest.raises(ConfigError, match="is not a link of ours"):
        plan(switch.target(), switch.first)


def test_a_directory_that_cannot_be_read_is_unavailable(subject: FilesSubject, tmp_path: Path) -> None:
    """Failure mode 37: an error is not an empty list."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="Not a directory"):
        plan(subject.target(directory=str(tmp_path / "file/published")), subject.first)


@pytest.mark.parametrize("directory", ["published", "/", "/srv/../etc"])
def test_the_directory_must_be_absolute(subject: FilesSubject, directory: str) -> None:
    with pytest.raises(ValidationError, match="absolute path below"):
        subject.target(directory=directory)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777
