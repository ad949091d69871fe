"""Where reports go: what Gitea is asked and told, and what a note says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_agent.gitea import Gitea
from gitops_agent.model import CommitStatus, StatusState
from gitops_agent.report import GiteaStatuses, GitNotes
from tests.fakes.gitea import FakeGitea

SHA = "c" * 40


def status(state: StatusState, description: str, context: str = "gitops/mini", url: str = "") -> CommitStatus:
    return CommitStatus(SHA, context, state, description, url)


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


class Notebook:
    def __init__(self) -> None:
        self.notes: dict[str, str] = {}

    def write_note(self, sha: str, text: str) -> None:
        self.notes[sha] = text


def test_a_note_has_a_line_for_the_newest_status_of_each_context() -> None:
    notebook = Notebook()
    said = [
        status(StatusState.PENDING, "reconciling"),
        status(StatusState.SUCCESS, "1 updated", "gitops/mini/nginx"),
        status(StatusState.SUCCESS, "applied; nginx: 1 updated", url="http://agent.example/runs/1"),
    ]
    notes = GitNotes(notebook, lambda sha: said if sha == SHA else [])
    notes.send(said[-1])
    assert list(notebook.notes) == [SHA]
    assert notebook.notes[SHA].splitlines() == [
        "gitops/mini: success: applied; nginx: 1 updated (http://agent.example/runs/1)",
        "gitops/mini/nginx: success: 1 updated",
    ]
    assert not notes.knows(said[-1]), "the same note again changes nothing, so nobody has to ask"


def test_a_note_is_written_even_where_the_journal_forgot_the_status() -> None:
    notebook = Notebook()
    GitNotes(notebook, lambda _sha: []).send(status(StatusState.SKIPPED, "superseded by abc"))
    assert notebook.notes == {SHA: "gitops/mini: skipped: superseded by abc\n"}
