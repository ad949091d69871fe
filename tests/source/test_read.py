"""Files of a revision in memory, and what a config repo may not hold (failure mode 17)."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Revision
from gitops_agent.source import Source
from tests.gitserver import Author, git
from tests.source.conftest import Follow

BLOB = b"100644"
TREE = b"40000"


@pytest.fixture
def source(author: Author, follow: Follow) -> Source:
    return follow(str(author.remote), max_file_bytes=1000, max_tree_bytes=3000)


def test_every_file_byte_for_byte_in_order(author: Author, source: Source) -> None:
    files = {"z": b"", "a/b/c": b"\0\xff\r\n", "a.b": b"1", "a/ä ö": b"2", "-x": b"3", ".gitignore": b"z", "a/run": b"#!"}
    author.commit({})
    (author.clone / "a").mkdir()
    (author.clone / "a" / "run").touch(mode=0o755)
    author.push(files)
    git("add", "--force", "z", at=author.clone)
    author.push({})
    read = source.read(source.fetch())
    assert read == files
    assert list(read) == sorted(files)


def test_an_empty_tree(author: Author, source: Source) -> None:
    author.push({})
    assert source.read(source.fetch()) == {}


def test_what_changes_between_two_commits(author: Author, source: Source) -> None:
    """Objects are kept from one read to the next; the content must not be."""
    for files in ({"a": "1", "d/b": "2"}, {"a": "2", "d/b": "2"}, {"a": None, "d/b": "1"}, {"d/b": "2", "e": "1"}):
        author.push(files)  # type: ignore[arg-type]
        revision = source.fetch()
        listed = git("ls-tree", "-r", "--name-only", "HEAD", at=author.clone).split()
        assert source.read(revision) == {path: (author.clone / path).read_bytes() for path in listed}


def commit(author: Author, entries: list[tuple[bytes, bytes, str]], folder: str = "") -> str:
    """A commit of a tree that no porcelain would write. An entry is (mode, name, sha)."""
    data = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(sha) for mode, name, sha in entries)
    tree = git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", at=author.remote, stdin=data)
    if folder:
        return commit(author, [(TREE, folder.encode(), tree)])
    sha = git("commit-tree", "-m", "odd", tree, at=author.remote)
    git("update-ref", "refs/heads/main", sha, at=author.remote)
    return tree


def blob(author: Author, content: bytes = b"x") -> str:
    return git("hash-object", "-w", "--stdin", at=author.remote, stdin=content)


@pytest.mark.parametrize(
    ("mode", "name", "message"),
    [
        (b"120000", b"link", "d/link: is a symbolic link"),
        (b"160000", b"module", "d/module: is a submodule"),
        (BLOB, b"..", "d/..: is a path that leaves the tree"),
        (TREE, b"..", "d/..: is a path that leaves the tree"),
        (BLOB, b".", "d/.: is a path that leaves the tree"),
        (BLOB, b"../../etc/passwd", "d/../../etc/passwd: is a path that leaves the tree"),
        (BLOB, b"/etc/passwd", "d//etc/passwd: is a path that leaves the tree"),
        (TREE, b".git", "d/.git: is a path that leaves the tree, or git's own"),
        (BLOB, b".GIT", "d/.GIT: is a path that leaves the tree, or git's own"),
        (BLOB, b"a\\..\\b", "d/a\\\\..\\\\b: has a control character or a backslash"),
        (BLOB, b"a\nb", "d/a\\nb: has a control character or a backslash"),
        (BLOB, b"a\x1b[31m", "d/a\\x1b[31m: has a control character"),
        (BLOB, b"\xff\xfe", "d/\\\\xff\\\\xfe: its name is not UTF-8"),
        (BLOB, b"n" * 256, "its name is longer than 255 bytes"),
    ],
)
def test_what_may_not_be_there(mode: bytes, name: bytes, message: str, author: Author, source: Source) -> None:
    empty = git("hash-object", "-t", "tree", "-w", "--stdin", at=author.remote, stdin=b"")
    sha = {TREE: empty, b"160000": "1" * 40}.get(mode) or blob(author)
    commit(author, [(mode, name, sha)], folder="d")
    revision = source.fetch()
    with pytest.raises(InvalidRevision) as caught:
        source.read(revision)
    assert message in str(caught.value)
    assert caught.value.file.startswith("d/")


def test_a_link_that_git_itself_commits(author: Author, source: Source) -> None:
    (author.clone / "conf").mkdir()
    (author.clone / "conf" / "passwd").symlink_to("/etc/passwd")
    author.push({})
    with pytest.raises(InvalidRevision, match=r"^conf/passwd: is a symbolic link; a config repo holds plain files only$"):
        source.read(source.fetch())


def test_a_submodule_that_git_itself_commits(author: Author, source: Source) -> None:
    author.push({"a": "1"})
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", author.remote, "lib", at=author.clone)
    author.push({})
    with pytest.raises(InvalidRevision, match=r"^lib: is a submodule"):
        source.read(source.fetch())


def test_the_next_revision_is_read_as_if_nothing_had_been(author: Author, source: Source) -> None:
    author.push({"big": b"x" * 1001})
    with pytest.raises(InvalidRevision, match=r"^big: has 1,001 bytes; the limit is 1,000$"):
        source.read(source.fetch())
    author.push({"big": b"x" * 1000})
    assert source.read(source.fetch()) == {"big": b"x" * 1000}


@pytest.mark.slow
def test_a_file_of_many_megabytes_is_not_read_to_be_refused(author: Author, source: Source) -> None:
    author.push({"a": "1", "big": bytes(20_000_000)})
    revision = source.fetch()
    with pytest.raises(InvalidRevision, match=r"^big: has 20,000,000 bytes"):
        source.read(revision)
    assert source.contains(revision.sha)


def test_the_sum_of_all_files_is_limited(author: Author, source: Source) -> None:
    """Also where it is the same content again and again."""
    author.push({f"f{number}": b"x" * 1000 for number in range(3)})
    assert len(source.read(source.fetch())) == 3
    author.push({"f9": b"x"})
    with pytest.raises(InvalidRevision, match=r"^f9: with it the files of the revision are larger than 3,000 bytes$"):
        source.read(source.fetch())


@pytest.mark.slow
def test_a_small_commit_that_stands_for_a_billion_files(author: Author, source: Source) -> None:
    tree = commit(author, [(BLOB, b"%d" % number, blob(author, b"")) for number in range(10)])
    for _ in range(8):
        tree = commit(author, [(TREE, b"%d" % number, tree) for number in range(10)])
    with pytest.raises(InvalidRevision, match=r"with it the revision has more than 20,000 files and folders"):
        source.read(source.fetch())


def test_a_path_too_long_for_any_disk(author: Author, source: Source) -> None:
    tree = commit(author, [(BLOB, b"file", blob(author))])
    for _ in range(12):
        tree = commit(author, [(TREE, b"f" * 100, tree)])
    with pytest.raises(InvalidRevision, match=r"its path is longer than 1,024 bytes"):
        source.read(source.fetch())


def test_a_pointer_to_a_file_that_is_elsewhere(author: Author, source: Source) -> None:
    author.push({"nginx/logo.png": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"})
    with pytest.raises(InvalidRevision, match=r"^nginx/logo.png: is kept in Git LFS"):
        source.read(source.fetch())


def test_a_revision_nobody_knows(author: Author, source: Source) -> None:
    author.push({"a": "1"})
    source.fetch()
    with pytest.raises(Unavailable, match=r"is neither in the mirror nor on the branch"):
        source.read(Revision("main", "1" * 40))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_reading_process_was_killed(number: int, author: Author, source: Source) -> None:
    author.push({"a": "1"})
    revision = source.fetch()
    os.kill(reading_process(source), number)
    assert source.read(revision) == {"a": b"1"}


@pytest.mark.slow
def test_a_disk_that_does_not_answer(author: Author, follow: Follow) -> None:
    """The process that reads is stopped, as by a disk that hangs: bounded, and the next read starts another."""
    source = follow(str(author.remote))
    author.push({"a": "1"})
    revision = source.fetch()
    source.close()
    hasty = follow(str(author.remote), timeout=0.5)
    assert hasty.contains(revision.sha)
    os.kill(reading_process(hasty), signal.SIGSTOP)
    with pytest.raises(Unavailable, match=r"could not be read within 0.5 s"):
        hasty.read(revision)
    assert hasty.read(revision) == {"a": b"1"}


def reading_process(source: Source) -> int:
    cat_file = source._mirror.objects._cat_file
    assert cat_file is not None
    assert cat_file.cat_file_all is not None
    return int(cat_file.cat_file_all.pid)


def test_many_threads_ask_at_once(author: Author, source: Source) -> None:
    author.push({"a": "1"})
    revisions = [source.fetch()]
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(50):
            right = [source.read(known).keys() == {"a"} and source.contains(known.sha) for known in revisions]
            wrong.extend(index for index, is_right in enumerate(right) if not is_right)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    author.push({"a": "2"})
    revisions.append(source.fetch())
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_process_is_left_after_close(author: Author, source: Source) -> None:
    """Failure mode 67: reaped, not only ended."""
    author.push({"a": "1"})
    source.read(source.fetch())
    pid = reading_process(source)
    source.close()
    assert not Path(f"/proc/{pid}").exists()
