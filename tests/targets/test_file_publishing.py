"""Failure mode 11: what a program sees while files are published under it, in both ways."""

from __future__ import annotations

import threading
from pathlib import Path

from gitops_agent.target import Site
from gitops_agent.targets.files import TARGET
from tests.conformance.converge import converge


def files_target(tmp_path: Path, publish: str):
    directory = tmp_path / "published"
    (tmp_path / "site").mkdir()
    settings = TARGET.Settings(kind="files", name="pages", folder="pages", directory=directory, publish=publish)
    return TARGET(settings, Site("test", tmp_path / "site", b"k" * 32)), directory


def test_in_place_who_holds_a_file_open_sees_its_new_content(tmp_path):
    """A bind mount of a single file holds its inode as an open descriptor does."""
    target, directory = files_target(tmp_path, "in-place")
    converge(target, {"a.conf": b"old"})
    with (directory / "a.conf").open("rb") as held:
        converge(target, {"a.conf": b"new and longer"})
        assert held.read() == b"new and longer"
        held.seek(0)
        converge(target, {"a.conf": b"short"})
        assert held.read() == b"short"


def test_switch_never_shows_half_a_version(tmp_path):
    """Read through the directory that `current` led to when somebody began to read."""
    names = ["a", "b", "c"]
    target, directory = files_target(tmp_path, "switch")
    converge(target, dict.fromkeys(names, b"0"))
    seen: list[set[bytes]] = []
    stopped = threading.Event()

    def read() -> None:
        while not stopped.is_set():
            version = (directory / "current").resolve()
            seen.append({(version / name).read_bytes() for name in names})

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 20):
        converge(target, dict.fromkeys(names, str(number).encode()))
    stopped.set()
    reader.join()
    assert all(len(contents) == 1 for contents in seen)
    assert len({next(iter(contents)) for contents in seen}) > 2
