"""Outcomes as git notes in a repository without Gitea, written by several at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed, Unavailable
from tests.gitserver import Author, GitServer, git, unavailable
from tests.source.conftest import Follow


def note(author: Author, sha: str) -> str:
    """As people see it, in the repository itself."""
    return git("notes", "--ref=gitops", "show", sha, at=author.remote)


def test_a_note_has_a_line_a_context(author: Author, follow: Follow) -> None:
    source = follow(str(author.remote))
    sha = author.push({"a": "1"})
    source.fetch()
    source.write_note(sha, "gitops/e: pending: waits\ngitops/e/nginx: success: 1 changed\n")
    source.write_note(sha, "gitops/e: success: done (https://agent/runs/1)\n")
    assert note(author, sha).splitlines() == [
        "gitops/e: success: done (https://agent/runs/1)",
        "gitops/e/nginx: success: 1 changed",
    ]
    assert git("log", "-1", "--format=%N", "--notes=gitops", "main", at=author.remote).startswith("gitops/e: success")


def test_the_same_note_again_is_no_commit(author: Author, follow: Follow) -> None:
    source = follow(str(author.remote))
    sha = author.push({"a": "1"})
    source.fetch()
    for _ in range(2):
        source.write_note(sha, "gitops/e: success: done\n")
    assert git("rev-list", "--count", "refs/notes/gitops", at=author.remote) == "1"


def test_lines_of_others_stay(author: Author, follow: Follow) -> None:
    """Two agents, and a person, write to the notes of one repository; each push but the first is not a fast-forward at first."""
    mine, other = follow(str(author.remote)), follow(str(author.remote), state="other")
    shas = [author.push({"a": content}) for content in "123"]
    mine.fetch()
    other.fetch()
    for sha in shas:
        mine.write_note(sha, "gitops/mine: success: done\n")
        other.write_note(sha, "gitops/other: failure: no\n")
        assert note(author, sha).splitlines() == ["gitops/mine: success: done", "gitops/other: failure: no"]
    git("notes", "--ref=gitops", "remove", shas[0], at=author.remote)
    mine.write_note(shas[1], "gitops/mine: failure: later\n")
    assert note(author, shas[1]).splitlines() == ["gitops/mine: failure: later", "gitops/other: failure: no"]
    assert shas[0] not in git("notes", "--ref=gitops", "list", at=author.remote)


def test_both_write_at_the_same_time(author: Author, follow: Follow) -> None:
    sha = author.push({"a": "1"})
    failed: list[Exception] = []

    def write(name: str) -> None:
        source = follow(str(author.remote), state=name)
        source.fetch()
        for number in range(4):
            for _ in range(20):  # the outbox tries again, too
                try:
                    source.write_note(sha, f"gitops/{name}/{number}: success: done\n")
                    break
                except Unavailable as error:
                    failed.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert note(author, sha).splitlines() == [f"gitops/{name}/{number}: success: done" for name in "xy" for number in range(4)]
    assert all("others wrote in between" in str(error) for error in failed)


def test_a_repository_that_takes_no_notes(author: Author, follow: Follow) -> None:
    """Bounded: the outbox tries again later."""
    source = follow(str(author.remote))
    sha = author.push({"a": "1"})
    source.fetch()
    attempts = author.remote / "attempts"
    hook = author.remote / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho x >>{attempts}\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Unavailable, match=r"others wrote in between 5 times"):
        source.write_note(sha, "gitops/e: success: done\n")
    assert attempts.read_text().count("x") == 5
    hook.unlink()
    source.write_note(sha, "gitops/e: success: later\n")
    assert note(author, sha) == "gitops/e: success: later"


def test_a_server_that_is_away(author: Author, follow: Follow, git_server: GitServer) -> None:
    """Failure mode 53; and it arrives later, over HTTP with a token."""
    git_server.token = "a-token"
    (git_server.root / "token").write_text("a-token")
    source = follow(token_file=git_server.root / "token")
    sha = author.push({"a": "1"})
    source.fetch()
    behaviour = git_server.behaviour
    git_server.behave(unavailable)
    with pytest.raises(Unavailable, match=r"cannot write a note to .*503"):
        source.write_note(sha, "gitops/e: success: done\n")
    git_server.behave(behaviour)
    source.write_note(sha, "gitops/e: success: done\n")
    assert note(author, sha) == "gitops/e: success: done"


def test_a_commit_that_is_gone(author: Author, follow: Follow) -> None:
    """Failure mode 55: nothing to try again."""
    source = follow(str(author.remote))
    author.push({"a": "1"})
    source.fetch()
    with pytest.raises(ApplyFailed, match=r"the commit is gone"):
        source.write_note("1" * 40, "gitops/e: success: done\n")


def test_stale_locks_of_notes(author: Author, follow: Follow, tmp_path: Path) -> None:
    """Failure mode 6."""
    source = follow(str(author.remote))
    sha = author.push({"a": "1"})
    source.fetch()
    source.write_note(sha, "gitops/e: pending: waits\n")
    (tmp_path / "state" / "mirror.git" / "refs" / "notes" / "gitops.lock").touch()
    source.write_note(sha, "gitops/e: success: done\n")
    assert note(author, sha) == "gitops/e: success: done"
