"""Watches on real directories and real repositories; nothing is waited for that does not ring."""

from __future__ import annotations

import logging
import queue
import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import watchdog.observers.polling  # noqa: F401 -- now: with no descriptors left nothing can be imported

from gitops_agent import watch
from tests.gitserver import Author, git

SOON = 5.0


class Bell:
    """Collects rings in their order."""

    def __init__(self) -> None:
        self.rung: queue.Queue[str] = queue.Queue()
        self._watches: list[watch.Watch] = []

    def on(self, started: watch.Watch) -> watch.Watch:
        self._watches.append(started)
        return started

    def next(self) -> str:
        return self.rung.get(timeout=SOON)

    def until(self, reason: str) -> list[str]:
        """All rings up to this one."""
        heard = [self.next()]
        while heard[-1] != reason:
            heard.append(self.next())
        return heard

    def close(self) -> None:
        for started in self._watches:
            started.close()


@pytest.fixture
def bell() -> Iterator[Bell]:
    made = Bell()
    yield made
    made.close()


@pytest.fixture
def author(tmp_path: Path) -> Author:
    made = Author(tmp_path / "author", tmp_path / "config.git")
    made.push({"a": "1"})
    return made


def watch_ref(bell: Bell, author: Author, branch: str = "main", *, polling: bool | None = None) -> None:
    bell.on(watch.ref(author.remote, branch, bell.rung.put, polling=polling))


def test_a_push_rings_before_it_returns(bell: Bell, author: Author, tmp_path: Path) -> None:
    """The push waits in a hook of the server until the ring was heard."""
    heard = tmp_path / "heard"
    hook = author.remote / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nwhile ! [ -e {heard} ]; do sleep 0.01; done\n")
    hook.chmod(0o755)
    watch_ref(bell, author)
    push = threading.Thread(target=author.push, args=({"a": "2"},))
    push.start()
    assert bell.next() == "refs"
    assert push.is_alive()
    heard.touch()
    push.join()


def test_fetching_and_reading_from_it_rings_nobody(bell: Bell, author: Author, tmp_path: Path) -> None:
    """A watch that rang for what is opened and closed would ring itself for ever."""
    watch_ref(bell, author)
    git("init", "--quiet", "--bare", "mirror.git", at=tmp_path)
    for _ in range(3):
        git("fetch", "--quiet", author.remote, "main", at=tmp_path / "mirror.git")
        git("log", "main", at=author.remote)
    for content in ("2", "3"):
        author.push({"a": content})
        assert bell.next() == "refs"
    assert bell.rung.empty()


def test_other_refs_ring_nobody(bell: Bell, author: Author) -> None:
    watch_ref(bell, author)
    author.commit({"a": "2"})
    git("push", "--quiet", "origin", "HEAD:refs/heads/main2", "HEAD:refs/tags/main", "HEAD:refs/notes/gitops", at=author.clone)
    author.push({"a": "3"})
    assert bell.next() == "refs"
    assert bell.rung.empty()


def test_force_push_deletion_and_return_of_the_branch_ring(bell: Bell, author: Author) -> None:
    """Failure modes 1 and 8."""
    watch_ref(bell, author)
    author.force_push({"b": "1"})
    assert bell.next() == "refs"
    git("update-ref", "-d", "refs/heads/main", at=author.remote)
    assert bell.next() == "refs"
    git("push", "--quiet", "origin", "HEAD:refs/heads/main", at=author.clone)
    assert bell.next() == "refs"


def test_a_packed_branch_rings(bell: Bell, author: Author) -> None:
    git("pack-refs", "--all", at=author.remote)
    watch_ref(bell, author)
    author.push({"a": "2"})
    assert bell.next() == "refs"
    git("pack-refs", "--all", at=author.remote)
    assert bell.next() == "refs"
    git("update-ref", "-d", "refs/heads/main", at=author.remote)
    assert bell.next() == "refs"


def test_a_branch_in_folders_that_appear_later_rings(bell: Bell, author: Author) -> None:
    watch_ref(bell, author, "release/2026/may")
    for content in ("2", "3"):
        while not bell.rung.empty():
            bell.next()
        author.commit({"a": content})
        git("push", "--quiet", "origin", "HEAD:refs/heads/release/2026/may", at=author.clone)
        assert bell.next() == "refs"


@pytest.mark.slow
def test_a_repository_that_appears_goes_and_comes_back_rings(bell: Bell, author: Author, tmp_path: Path) -> None:
    remote = tmp_path / "made" / "later" / "config.git"
    bell.on(watch.ref(remote, "main", bell.rung.put))
    for content in ("1", "2"):
        later = Author(tmp_path / f"author{content}", remote)
        later.push({"a": content})
        assert bell.next() == "refs"
        _settle(bell, lambda later=later: later.push({"a": "again"}))  # type: ignore[misc]
        if content == "1":
            shutil.rmtree(remote)
        else:
            remote.rename(tmp_path / "gone.git")
        assert bell.next() == "refs"
    moved = Author(tmp_path / "author3", tmp_path / "aside.git")
    moved.push({"a": "3"})
    _settle(bell, lambda: None)
    (tmp_path / "aside.git").rename(remote)
    assert bell.next() == "refs"
    _settle(bell, lambda: None)
    moved.remote = remote
    git("remote", "set-url", "origin", remote, at=moved.clone)
    moved.push({"a": "4"})
    assert bell.next() == "refs"


def _settle(bell: Bell, act: Callable[[], object]) -> None:
    """Takes what still rings for the past, then acts, and hears that."""
    while True:
        try:
            bell.rung.get(timeout=0.6)  # longer than watchdog keeps half a move
        except queue.Empty:
            break
    act()


@pytest.mark.slow
def test_polling_notices_a_push_too(bell: Bell, author: Author) -> None:
    """On a Mac's mounts the kernel tells nothing (apis.md, Colima)."""
    watch_ref(bell, author, polling=True)
    author.push({"a": "2"})
    assert bell.next() == "refs"


class Relief(logging.Handler):
    """Gives descriptors back when the watch says what it does without."""

    def __init__(self, limits: tuple[int, int]) -> None:
        super().__init__()
        self.limits = limits
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)


@pytest.mark.slow
def test_without_inotify_it_polls_and_says_so(bell: Bell, author: Author) -> None:
    """`inotify_init` needs a descriptor: with none left it fails with EMFILE, as it does at the user's limit of instances."""
    relief = Relief(resource.getrlimit(resource.RLIMIT_NOFILE))
    logger = logging.getLogger("gitops_agent.watch")
    logger.addHandler(relief)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, relief.limits[1]))
    try:
        watch_ref(bell, author, polling=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, relief.limits)
        logger.removeHandler(relief)
    assert relief.said == ["watching by polling"]
    author.push({"a": "2"})
    assert bell.next() == "refs"


def test_nothing_rings_after_close(author: Author) -> None:
    bell = Bell()
    watch_ref(bell, author)
    bell.close()
    author.push({"a": "2"})
    other = Bell()
    watch_ref(other, author)
    author.push({"a": "3"})
    other.next()
    other.close()
    assert bell.rung.empty()


def test_published_directories_ring_for_what_is_written(bell: Bell, tmp_path: Path) -> None:
    root = tmp_path / "published"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "site.conf").write_text("1")
    bell.on(watch.directories([root], bell.rung.put))
    (root / "site.conf").write_text("2")
    assert bell.next() == str(root / "site.conf")
    (root / "deep" / "er" / "new").touch()
    assert str(root / "deep" / "er" / "new") in bell.until(str(root / "deep" / "er" / "new"))
    (root / "deep" / "er" / "new").chmod(0o600)
    bell.until(str(root / "deep" / "er" / "new"))
    (root / "site.conf").unlink()
    bell.until(str(root / "site.conf"))
    (root / "fresh").mkdir()
    bell.until(str(root / "fresh"))
    (root / "fresh" / "file").touch()
    bell.until(str(root / "fresh" / "file"))


def test_reading_what_is_published_rings_nobody(bell: Bell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    bell.on(watch.directories([tmp_path], bell.rung.put))
    assert (tmp_path / "file").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    (tmp_path / "end").touch()
    assert bell.next() == str(tmp_path / "end")


def test_what_is_ignored_rings_nobody(bell: Bell, tmp_path: Path) -> None:
    """A program's own files: editors' swap files by name, caches by their path."""
    (tmp_path / "cache").mkdir()
    bell.on(watch.directories([tmp_path], bell.rung.put, ignore=("*.swp", "cache/*")))
    (tmp_path / "site.conf.swp").touch()
    (tmp_path / "cache" / "entry").touch()
    (tmp_path / "end").touch()
    assert bell.next() == str(tmp_path / "end")


@pytest.mark.slow
def test_a_directory_that_is_replaced_rings_and_is_watched_again(bell: Bell, tmp_path: Path) -> None:
    root = tmp_path / "published"
    bell.on(watch.directories([root], bell.rung.put))
    for content in ("1", "2"):
        _settle(bell, root.mkdir)
        assert bell.next() == str(root)
        (root / "file").write_text(content)
        bell.until(str(root / "file"))
        _settle(bell, lambda: shutil.rmtree(root))
        bell.until(str(root))
