"""The newest commit of a branch over real HTTP, from a server that does what it shall, and from one that does not."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from gitops_agent.errors import Unavailable
from gitops_agent.model import Revision
from tests.gitserver import Author, Behaviour, GitServer, forbidden, git, hang, nonsense, page, serve, unavailable
from tests.source.conftest import Follow


def test_the_newest_commit(author: Author, follow: Follow) -> None:
    source = follow()
    for content in ("1", "2"):
        sha = author.push({"nginx/a.conf": content}, "Say it\n\nand why")
        revision = source.fetch()
        assert revision == Revision("main", sha)
        assert (revision.subject, revision.author) == ("Say it", "Test")
        assert source.head() == revision
        assert source.read(revision) == {"nginx/a.conf": content.encode()}


def test_a_fetch_costs_two_requests_and_one_when_nothing_is_new(author: Author, follow: Follow, git_server: GitServer) -> None:
    source = follow()
    author.push({"a": "1"})
    source.fetch()
    author.push({"a": "2"})
    git_server.seen.clear()
    source.fetch()
    assert [seen.method for seen in git_server.seen] == ["GET", "POST"]
    source.fetch()
    assert [seen.method for seen in git_server.seen] == ["GET", "POST", "GET"]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_repository_on_this_host(form: str, author: Author, follow: Follow) -> None:
    sha = author.push({"a": "1"})
    source = follow(form.format(author.remote))
    assert source.fetch().sha == sha
    assert source.reachable()


def test_a_repository_of_another_user_on_this_host(author: Author, follow: Follow) -> None:
    """Gitea's belong to its own user; git refuses them unless safe.directory says otherwise."""
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    sha = author.push({"a": "1"})
    for path in (author.remote, *author.remote.rglob("*")):
        os.chown(path, 12345, 12345)
    assert follow(str(author.remote)).fetch().sha == sha


def test_a_force_push(author: Author, follow: Follow) -> None:
    """Failure mode 1: the old commit is gone on the server."""
    source = follow()
    old = [author.push({"a": content}) for content in ("1", "2")][-1]
    source.mark_applied(source.fetch())
    new = author.force_push({"b": "3"})
    git("reflog", "expire", "--expire=now", "--all", at=author.remote)
    git("gc", "--quiet", "--prune=now", at=author.remote)
    revision = source.fetch()
    assert revision.sha == new
    assert source.read(revision) == {"b": b"3"}
    applied = source.applied()
    assert applied is not None
    assert applied.sha == old
    assert source.read(applied) == {"a": b"2"}


def test_a_deleted_branch(author: Author, follow: Follow) -> None:
    """Failure mode 8: nothing is known of a new state, so nothing changes; the branch comes back, and it goes on."""
    source = follow()
    author.push({"a": "1"})
    known = source.fetch()
    git("push", "--quiet", "origin", "HEAD:refs/heads/other", at=author.clone)
    git("update-ref", "-d", "refs/heads/main", at=author.remote)
    with pytest.raises(Unavailable, match=r"there is no branch main in .*; there are other$"):
        source.fetch()
    assert not source.reachable()
    assert source.head() == known
    sha = author.push({"a": "2"})
    assert source.fetch().sha == sha


def test_a_renamed_default_branch(author: Author, follow: Follow) -> None:
    author.push({"a": "1"})
    names = [f"b{number}" for number in range(8)]
    git("push", "--quiet", "origin", *(f"HEAD:refs/heads/{name}" for name in names), at=author.clone)
    git("branch", "-m", "main", "trunk", at=author.remote)
    with pytest.raises(Unavailable, match=r"there are trunk \(its default\), b0, b1, b2, b3 and 4 more$"):
        follow().fetch()


def test_an_empty_repository(author: Author, follow: Follow) -> None:
    with pytest.raises(Unavailable, match=r"it is empty, or no git repository"):
        follow().fetch()


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (hang, "no answer within 0.5 s"),
        (nonsense, "protocol error: bad line length"),
        (page, "it is empty, or no git repository"),
        (unavailable, "error: 503"),
        (forbidden, "a token is needed"),
    ],
)
@pytest.mark.slow
def test_a_server_that_misbehaves(behaviour: Behaviour, why: str, author: Author, follow: Follow, git_server: GitServer) -> None:
    """Failure modes 5 and 7: bounded in time, said in words; what was known goes on counting, also for an agent that starts now."""
    sha = author.push({"a": "1"})
    follow().mark_applied(follow().fetch())
    git_server.behave(behaviour)
    source = follow(timeout=0.5 if behaviour is hang else 10)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=why):
        source.fetch()
    assert not source.reachable()
    assert time.monotonic() - began < 8
    head = source.head()
    assert head is not None
    assert head.sha == sha
    assert source.applied() == head
    assert source.read(head) == {"a": b"1"}
    git_server.behave(serve)
    assert source.fetch() == head
    assert source.reachable()


def test_a_server_that_is_away(follow: Follow) -> None:
    source = follow("http://127.0.0.1:1/config.git")
    with pytest.raises(Unavailable, match=r"^cannot fetch main from http://127.0.0.1:1/config.git: Failed to connect"):
        source.fetch()
    assert source.head() is None


def _programs(url: str) -> list[tuple[int, str]]:
    """Pid and command line of whatever runs with this address, which is of this test alone."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        if url in command:
            found.append((int(entry.parent.name), command))
    return found


@pytest.mark.slow
def test_no_program_outlives_its_time(author: Author, follow: Follow, git_server: GitServer) -> None:
    """Failure modes 7 and 67: git's own children end with it."""
    author.push({"a": "1"})
    git_server.behave(hang)
    with pytest.raises(Unavailable, match=r"no answer"):
        follow(timeout=0.5).fetch()
    assert _programs(git_server.url()) == []


def test_git_killed_in_the_middle(author: Author, follow: Follow, git_server: GitServer) -> None:
    """Failure mode 6."""
    source = follow(timeout=5)
    author.push({"a": "1"})
    source.fetch()
    git_server.behave(lambda _: [os.kill(pid, signal.SIGKILL) for pid, _ in _programs(git_server.url())])
    with pytest.raises(Unavailable, match=r"git exited with -9"):
        source.fetch()
    git_server.behave(serve)
    sha = author.push({"a": "2"})
    assert source.fetch().sha == sha


def test_what_the_host_has_configured_changes_nothing(
    author: Author, follow: Follow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that is started by hand, by a hook or behind a proxy does what it does as a service."""
    sha = author.push({"a": "1"})
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://\n[core]\n\thooksPath = {tmp_path}\n')
    for name, value in {
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.http://127.0.0.1:1/.insteadOf",
        "GIT_CONFIG_VALUE_0": "http://",
        "GIT_SSH_COMMAND": "false",
        "HOME": "/nonexistent",
        "http_proxy": "http://127.0.0.1:1",
        "LC_ALL": "de_DE.UTF-8",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path))
    source = follow()
    revision = source.fetch()
    assert revision.sha == sha
    assert source.read(revision) == {"a": b"1"}
    source.mark_applied(revision)
    assert source.applied() == revision
    assert source.reachable()
