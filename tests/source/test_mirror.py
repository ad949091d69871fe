"""A mirror that was damaged, half written or locked by the dead mends itself (failure modes 6, 64 and 68)."""

from __future__ import annotations

import os
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.errors import Unavailable
from gitops_agent.model import Revision
from gitops_agent.source import Source
from tests.gitserver import Author, GitServer, git, unavailable
from tests.source.conftest import Follow

LOCKS = ["refs/gitops/e/head.lock", "refs/gitops/e/applied.lock", "packed-refs.lock", "index.lock", "shallow.lock", "HEAD.lock"]


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mirror.git"


def goes_on(author: Author, source: Source) -> Revision:
    """A new commit arrives, is read and marked."""
    sha = author.push({"a": str(random.random())})
    revision = source.fetch()
    assert revision.sha == sha
    assert source.read(revision).keys() == {"a", "b/c"}
    source.mark_applied(revision)
    assert source.applied() == revision
    return revision


@pytest.fixture
def source(author: Author, follow: Follow) -> Source:
    """Follows a repository of three commits: the first rejected, the second applied, the third fetched."""
    source = follow()
    for number, mark in enumerate((source.mark_rejected, source.mark_applied, lambda _: None)):
        author.push({"a": str(number), "b/c": "x" * 2000})
        mark(source.fetch())
    return source


@pytest.mark.parametrize("lock", LOCKS)
def test_stale_locks(lock: str, author: Author, source: Source, mirror: Path) -> None:
    """Left behind by a git that was killed."""
    (mirror / lock).touch()
    goes_on(author, source)
    assert not list(mirror.rglob("refs/**/*.lock"))


def empty(mirror: Path, pattern: str) -> None:
    """What a power loss does to files that were written last."""
    files = [file for file in mirror.glob(pattern) if file.is_file()]
    assert files
    for file in files:
        file.chmod(0o600)
        file.write_bytes(b"")


def pack(mirror: Path) -> None:
    git("repack", "-a", "-d", "-q", at=mirror)
    git("pack-refs", "--all", at=mirror)


def spoil_pack(mirror: Path, garbage: Callable[[int], bytes] = os.urandom) -> None:
    pack(mirror)
    (file,) = mirror.glob("objects/pack/*.pack")
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[12:-20] = garbage(len(content) - 32)
    file.write_bytes(content)


def many_gigabytes(length: int) -> bytes:
    """Garbage that happens to read as «a commit of 549 GB» where the newest commit was (gitformat-pack(5))."""
    return (b"\x9f\xff\xff\xff\xff\x7f" * length)[:length]


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no HEAD": lambda mirror: (mirror / "HEAD").unlink(),
    "HEAD is empty": lambda mirror: empty(mirror, "HEAD"),
    "config is garbage": lambda mirror: (mirror / "config").write_bytes(b"\0garbage"),
    "no objects": lambda mirror: shutil.rmtree(mirror / "objects"),
    "objects are empty": lambda mirror: empty(mirror, "objects/??/*"),
    "objects are cut short": lambda mirror: [
        os.truncate(file, 20) for file in mirror.glob("objects/??/*") if not file.chmod(0o600)
    ],
    "a pack is garbage": spoil_pack,
    "a pack has a commit of 549 GB": lambda mirror: spoil_pack(mirror, many_gigabytes),
    "a pack has no index": lambda mirror: (pack(mirror), [file.unlink() for file in mirror.glob("objects/pack/*.idx")]),
    "the head is empty": lambda mirror: empty(mirror, "refs/gitops/e/head"),
    "the head is garbage": lambda mirror: (mirror / "refs/gitops/e/head").write_text("garbage\n"),
    "the head is a directory": lambda mirror: (
        (mirror / "refs/gitops/e/head").unlink(),
        (mirror / "refs/gitops/e/head/x").mkdir(parents=True),
    ),
    "it is an empty directory": lambda mirror: (shutil.rmtree(mirror), mirror.mkdir()),
}


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage(damage: str, restarted: bool, author: Author, source: Source, follow: Follow, mirror: Path) -> None:
    """A fresh clone takes its place, and what was known of applied and rejected revisions is kept where it can be."""
    first, second, third = (Revision("main", sha) for sha in git("rev-list", "--reverse", "main", at=author.remote).split())
    DAMAGE[damage](mirror)
    if restarted:
        source.close()
        source = follow()
        source.applied()  # asked at start, before anything was fetched
    assert source.fetch() == third
    assert source.read(third)["a"] == b"2"
    if damage != "it is an empty directory":
        assert source.applied() == second
        assert source.is_rejected(first)
    goes_on(author, source)
    assert git("fsck", "--strict", at=mirror) == ""
    assert sorted(path.name for path in mirror.parent.iterdir()) == ["gitconfig", "mirror.git"]


def test_damage_that_only_reading_finds(author: Author, source: Source, mirror: Path) -> None:
    """The commit is there and one of its files is not; git fetch does not look."""
    head = source.fetch()
    blob = git("rev-parse", f"{head.sha}:a", at=author.remote)
    (mirror / "objects" / blob[:2] / blob[2:]).unlink()
    source.close()
    assert source.read(head)["a"] == b"2"


def test_damage_while_the_server_is_away(author: Author, source: Source, mirror: Path, git_server: GitServer) -> None:
    """Nothing can be mended, nothing is made worse, and it is mended later."""
    git_server.behave(unavailable)
    shutil.rmtree(mirror / "objects")
    source.close()
    assert source.applied() is None
    with pytest.raises(Unavailable, match=r"503"):
        source.fetch()
    assert mirror.exists()


@pytest.mark.parametrize("left", ["mirror.new", "mirror.old"])
def test_a_clone_that_was_cut_short(left: str, author: Author, source: Source, mirror: Path) -> None:
    """Killed while it cloned, or between the two renames: then the old one holds what was known."""
    source.close()
    shutil.copytree(mirror, mirror.parent / left)
    if left == "mirror.old":
        applied = source.applied()
        shutil.rmtree(mirror)
        source.fetch()
        assert source.applied() == applied
    goes_on(author, source)


def test_a_revision_that_is_gone_for_good(author: Author, source: Source, mirror: Path) -> None:
    """Force-pushed away, and the mirror lost: not the author's mistake, and not a reason to loop."""
    head = source.fetch()
    author.force_push({"other": "1"})
    shutil.rmtree(mirror / "objects")
    source.close()
    with pytest.raises(Unavailable, match=f"{head.sha} is neither in the mirror nor on the branch any more"):
        source.read(head)
    assert not source.contains(head.sha)


def test_a_full_disk(author: Author, source: Source, mirror: Path) -> None:
    """No file may grow beyond 64 KiB: git's writes fail in the middle as they do on a full disk; the mirror stays as it was."""
    head = source.fetch()
    author.push({"big": os.urandom(900_000)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, limits[1]))
    try:
        with pytest.raises(Unavailable, match=r"cannot clone"):
            source.fetch()
        assert source.head() == head
        assert source.applied() is not None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(source.read(source.fetch())["big"]) == 900_000


def test_a_directory_that_cannot_be_written(author: Author, follow: Follow, tmp_path: Path) -> None:
    author.push({"a": "1"})
    (tmp_path / "taken").write_text("")
    with pytest.raises(Unavailable):
        follow(state="taken/state").fetch()


@pytest.mark.slow
def test_the_mirror_does_not_grow_for_ever(author: Author, follow: Follow, mirror: Path) -> None:
    """Failure mode 68: loose objects are packed in a quiet moment, and reading goes on."""
    source = follow()
    for round_ in range(7):
        for number in range(19):  # below fetch.unpackLimit: objects stay loose
            author.commit({f"{round_}": str(number), "d/e": str(number)})
        head_sha = author.push({"end": str(round_)})
        assert source.fetch().sha == head_sha
    head = source.fetch()
    before = source.read(head)
    source.tidy()
    loose, packs = (len(list(mirror.glob(pattern))) for pattern in ("objects/??/*", "objects/pack/*.pack"))
    assert (loose, packs) == (0, 1)
    assert source.read(head) == before
    source.tidy()
    assert author.push({"end": "more"}) == source.fetch().sha
    assert len(list(mirror.glob("objects/??/*"))) > 0, "a few loose objects are not worth packing"


@pytest.mark.slow
def test_what_was_forced_away_makes_room(author: Author, follow: Follow, mirror: Path) -> None:
    """Failure mode 68: every push replaces all before; what is marked stays."""
    source = follow()
    author.push({"a": "applied"})
    applied = source.fetch()
    source.mark_applied(applied)
    sizes = []
    for push in range(20):
        git("fast-import", "--quiet", "--force", at=author.remote, stdin=b"".join(_history(push, commits=33)))
        source.fetch()
        for file in (*mirror.glob("objects/??/*"), *mirror.glob("objects/pack/*")):
            os.utime(file, (0, 0))  # hours go by
        source.tidy()
        sizes.append(sum(file.stat().st_size for file in mirror.rglob("*") if file.is_file()))
    assert max(sizes) < 20 * 33 * 2000 * 0.7, "of what was pushed in all"
    assert source.read(applied) == {"a": b"applied"}


def _history(push: int, *, commits: int) -> Iterator[bytes]:
    """A branch without a past, in the words of git-fast-import. The same names of objects each time: git guesses from some of them
    how many there are."""
    noise = random.Random(push)
    yield b"reset refs/heads/main\n"
    for number in range(commits):
        content = noise.randbytes(2000)
        yield b"commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 1\nc\n" % (1_800_000_000 + push)
        yield b"M 100644 inline file-%d\ndata %d\n%b\n" % (number, len(content), content)
    yield b"done\n"


def test_a_commit_that_is_too_large_in_truth(author: Author, source: Source) -> None:
    """A fresh clone does not help: it is said, and the next commit goes on."""
    novel = author.clone.parent / "novel"
    novel.write_text("x" * (2 << 20))
    git("commit", "--quiet", "--allow-empty", "--file", novel, at=author.clone)
    git("push", "--quiet", "origin", "HEAD:main", at=author.clone)
    with pytest.raises(Unavailable, match=r"main of .* cannot be read: the commit at .* has \d+ bytes"):
        source.fetch()
    goes_on(author, source)
