"""Applied and rejected revisions: kept over restarts and force-pushes, in the mirror alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.errors import Unavailable
from gitops_agent.model import Revision
from tests.gitserver import Author, git
from tests.source.conftest import Follow


def test_nothing_is_known_before_the_first_fetch(follow: Follow) -> None:
    source = follow()
    assert source.head() is None
    assert source.applied() is None
    assert not source.is_rejected(Revision("main", "1" * 40))
    assert not source.contains("1" * 40)


def test_marks_outlive_the_process(author: Author, follow: Follow) -> None:
    source = follow()
    author.push({"a": "1"})
    first = source.fetch()
    source.mark_rejected(first)
    author.push({"a": "2"}, "second")
    second = source.fetch()
    source.mark_applied(second)
    again = follow()
    assert again.applied() == second
    assert again.applied().subject == "second"  # type: ignore[union-attr]
    assert again.is_rejected(first)
    assert not again.is_rejected(second)


def test_files_that_were_good_are_good_in_any_commit(author: Author, follow: Follow) -> None:
    source = follow()
    author.push({"a": "1"})
    first = source.fetch()
    assert not source.is_good(first)
    source.mark_good(first)
    author.push({"a": "2"})
    assert not source.is_good(source.fetch())
    author.push({"a": "1"}, "back")
    assert follow().is_good(source.fetch())
    assert not source.is_good(Revision("main", "1" * 40))


def test_what_is_applied_is_not_rejected_any_more(author: Author, follow: Follow) -> None:
    """An operator consented to it."""
    source = follow()
    author.push({"a": "1"})
    revision = source.fetch()
    source.mark_rejected(revision)
    source.mark_applied(revision)
    assert not source.is_rejected(revision)
    source.mark_rejected(revision)
    assert source.is_rejected(revision)
    assert source.applied() == revision


def test_marked_commits_survive_force_push_and_packing(author: Author, follow: Follow) -> None:
    """Failure mode 1: what is marked can still be read, for restoring it."""
    source = follow()
    author.push({"a": "1"})
    applied = source.fetch()
    source.mark_applied(applied)
    rejected = Revision("main", author.force_push({"b": "2"}))
    source.fetch()
    source.mark_rejected(rejected)
    author.force_push({"c": "3"})
    head = source.fetch()
    git("-c", "gc.pruneExpire=now", "gc", "--quiet", at=source._mirror.path)
    assert source.read(applied) == {"a": b"1"}
    assert source.is_rejected(rejected)
    assert source.contains(rejected.sha)
    assert source.read(head) == {"c": b"3"}


@pytest.mark.slow
def test_a_hundred_rejected_revisions_are_kept(author: Author, follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failure mode 68: the newest by commit date, and always the one just rejected."""
    source = follow()
    shas = []
    for number in range(102):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{1_700_000_000 + number} +0000")
        shas.append(author.commit({"a": str(number)}))
    author.push({"a": "end"})
    source.fetch()
    revisions = [Revision("main", sha) for sha in shas]
    for revision in [*revisions[1:], revisions[0]]:
        source.mark_rejected(revision)
    assert [revision.sha for revision in revisions if not source.is_rejected(revision)] == shas[1:3]


def test_a_mirror_that_cannot_be_written(author: Author, follow: Follow, tmp_path: Path) -> None:
    source = follow()
    author.push({"a": "1"})
    revision = source.fetch()
    (tmp_path / "state" / "mirror.git" / "refs" / "gitops" / "e" / "applied").mkdir()
    (tmp_path / "state" / "mirror.git" / "refs" / "gitops" / "e" / "applied" / "x").write_text("in the way")
    with pytest.raises(Unavailable, match=r"cannot record main@sha1:"):
        source.mark_applied(revision)


def test_a_way_back_is_known_until_it_is_over_also_over_a_fresh_clone(author: Author, follow: Follow, tmp_path: Path) -> None:
    source = follow()
    author.push({"a": "1"})
    good = source.fetch()
    source.mark_applied(good)
    author.push({"a": "2"})
    bad = source.fetch()
    source.mark_restoring(bad)
    assert (source.restoring(), source.unrestored(), source.is_rejected(bad)) == (bad, None, True)
    again = follow()
    again._mirror.replace()
    assert again.restoring() == bad
    again.mark_restored(bad, well=False)
    assert (again.restoring(), again.unrestored(), again.is_rejected(bad)) == (None, bad, True)
    again.mark_restoring(bad)
    again.mark_restored(bad, well=True)
    assert (again.restoring(), again.unrestored()) == (None, None)
    again.mark_restored(bad, well=False)
    author.push({"a": "3"})
    again.mark_applied(again.fetch())
    assert again.unrestored() is None
