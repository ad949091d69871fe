"""Where reports go: what Gitea is asked and told, and what a note says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_agent.gitea import CommitGone, Gitea
from gitops_agent.journal import Journal
from gitops_agent.model import CommitStatus, StatusState
from gitops_agent.report import GiteaStatuses, GitNotes, Outbox
from gitops_agent.source import Remote, Source
from tests.fakes.gitea import FakeGitea
from tests.gitserver import Author, git

SHA = "c" * 40


def status(state: StatusState, description: str, context: str = "gitops/mini", url: str = "", sha: str = SHA) -> CommitStatus:
    return CommitStatus(sha, context, state, description, url)


@pytest.fixture
def statuses(tmp_path: Path) -> Iterator[GiteaStatuses]:
    (tmp_path / "token").write_text("a-token-of-the-bot")
    with FakeGitea() as server:
        server.add_repository("ops/config", commits=[SHA])
        server.add_token("a-token-of-the-bot")
        yield GiteaStatuses(Gitea(server.url, "ops/config", tmp_path / "token"))


def test_what_is_known_is_the_newest_of_its_context(statuses: GiteaStatuses) -> None:
    """All within one second, in which Gitea's list is in the wrong order."""
    broken, applied = status(StatusState.FAILURE, "broken"), status(StatusState.SUCCESS, "applied")
    assert not statuses.knows(broken)
    statuses.send(broken)
    assert statuses.knows(broken)
    statuses.send(applied)
    statuses.send(status(StatusState.FAILURE, "broken", "gitops/mini/nginx"))
    assert statuses.knows(applied)
    assert not statuses.knows(broken), "said before, but not last: it would have to be said again"
    assert not statuses.knows(status(StatusState.SUCCESS, "applied; nginx: 1 updated"))


@pytest.fixture
def author(tmp_path: Path) -> Author:
    return Author(tmp_path / "clone", tmp_path / "config.git")


@pytest.fixture
def source(author: Author, tmp_path: Path) -> Iterator[Source]:
    followed = Source(Remote(url=str(author.remote)), tmp_path / "state", "mini")
    yield followed
    followed.close()


def test_without_gitea_people_read_it_in_a_note(author: Author, source: Source, tmp_path: Path) -> None:
    """A plain repository on disk; what the run and each target came to, and nothing of what was said before."""
    sha = author.push({"nginx/site.conf": "…"})
    source.fetch()
    journal = Journal(tmp_path / "journal.sqlite3")
    outbox = Outbox(journal, {"mini": GitNotes(source)})
    outbox.start()
    for said in (
        status(StatusState.PENDING, "reconciling", sha=sha),
        status(StatusState.FAILURE, "1 updated", "gitops/mini/nginx", sha=sha),
        status(StatusState.FAILURE, "nginx: unknown directive", url="http://agent.example/runs/1", sha=sha),
    ):
        journal.queue("mini", said)
        outbox.ring()
        assert outbox.drain(20)
    assert git("notes", "--ref=gitops", "show", sha, at=author.remote).splitlines() == [
        "gitops/mini: failure: nginx: unknown directive (http://agent.example/runs/1)",
        "gitops/mini/nginx: failure: 1 updated",
    ]
    outbox.close()
    journal.close()


def test_a_note_for_a_commit_that_is_gone_is_dropped(author: Author, source: Source) -> None:
    """Failure mode 55."""
    author.push({"nginx/site.conf": "…"})
    source.fetch()
    with pytest.raises(CommitGone, match="no note for cccccccccc"):
        GitNotes(source).send(status(StatusState.SUCCESS, "applied"))
