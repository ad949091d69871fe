"""The commits that take a branch back, held against what `git revert` makes of the same history."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitops_agent.errors import Refused
from gitops_agent.source import Remote
from gitops_agent.source.reverts import Person, Protected, Reverts
from tests.gitserver import Author, git

ANN = Person("Ann", "ann@example.org")


@pytest.fixture
def people(tmp_path: Path) -> Author:
    author = Author(tmp_path / "people", tmp_path / "config.git")
    author.push({"a": "1\n", "b": "1\n"}, "one")
    return author


def reverts(people: Author, tmp_path: Path) -> Reverts:
    directory = tmp_path / "copy"
    directory.mkdir(exist_ok=True)
    for old in directory.glob("copy.git"):
        subprocess.run(["rm", "-r", old], check=True)
    return Reverts(Remote(str(people.remote)), directory)


def test_it_is_what_git_revert_makes_of_it(people: Author, tmp_path: Path) -> None:
    first = git("rev-parse", "HEAD", at=people.clone)
    people.push({"a": "2\n"}, "two")
    git("checkout", "--quiet", "-b", "side", at=people.clone)
    people.commit({"c": "side\n", "b": None}, "of the side")
    git("checkout", "--quiet", "main", at=people.clone)
    people.commit({"a": "3\n"}, "three")
    git("merge", "--quiet", "--no-ff", "-m", "merge side", "side", at=people.clone)
    git("push", "--quiet", "origin", "HEAD:main", at=people.clone)
    desk = reverts(people, tmp_path)
    commits = desk.since(desk.find(first[:8]))
    assert [commit.subject for commit in commits] == ["merge side", "three", "two"]
    made = desk.write(commits, ANN, "it was red")
    desk.push(made, "main")
    git("revert", "--no-edit", "-m", "1", "HEAD", at=people.clone)
    git("revert", "--no-edit", commits[1].sha, commits[2].sha, at=people.clone)
    trees = "log", "--first-parent", "--max-count=3", "--format=%T"
    assert git(*trees, made, at=people.remote) == git(*trees, "HEAD", at=people.clone)
    assert git("rev-parse", f"{made}^{{tree}}", at=people.remote) == git("rev-parse", f"{first}^{{tree}}", at=people.clone)
    messages = git("log", "--max-count=3", "--format=%B%n%an <%ae>%x00", made, at=people.remote).split("\0")
    assert f"\n\nThis reverts commit {commits[0].sha}, reversing\nchanges made to {commits[1].sha}." in messages[2]
    assert messages[0].startswith('Revert "two"\n\nThis reverts commit ')
    assert f"Rolled back to {first[:10]} by Ann <ann@example.org>: it was red\n\nAnn <ann@example.org>" in messages[0]


def test_where_the_branch_never_was_it_cannot_go_back_to(people: Author, tmp_path: Path) -> None:
    git("checkout", "--quiet", "-b", "side", at=people.clone)
    side = people.commit({"c": "side"}, "of the side")
    git("checkout", "--quiet", "main", at=people.clone)
    git("merge", "--quiet", "--no-ff", "-m", "merge side", "side", at=people.clone)
    git("push", "--quiet", "origin", "HEAD:main", at=people.clone)
    desk = reverts(people, tmp_path)
    with pytest.raises(Refused, match="never was at"):
        desk.since(desk.find(side))
    for name in ("nonsense", "--all", "0" * 40):
        with pytest.raises(Refused, match="is no commit of main"):
            desk.find(name)


def test_somebody_elses_push_meanwhile_is_not_run_over(people: Author, tmp_path: Path) -> None:
    people.push({"a": "2"}, "two")
    desk = reverts(people, tmp_path)
    made = desk.write(desk.since(desk.find("HEAD~1")), ANN, "")
    sha = people.push({"a": "3"}, "three")
    with pytest.raises(Refused, match="meanwhile"):
        desk.push(made, "main")
    assert git("rev-parse", "main", at=people.remote) == sha


def test_a_branch_that_others_protect_says_so_in_their_words(people: Author, tmp_path: Path) -> None:
    people.push({"a": "2"}, "two")
    hook = people.remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho >&2\necho 'Gitea: Not allowed to push to protected branch main' >&2\nexit 1\n")
    hook.chmod(0o755)
    desk = reverts(people, tmp_path)
    made = desk.write(desk.since(desk.find("HEAD~1")), ANN, "")
    with pytest.raises(Protected, match="main does not take the push: Gitea: Not allowed to push to protected branch main"):
        desk.push(made, "main")


def test_reverts_are_signed_with_the_key_that_is_named(people: Author, tmp_path: Path) -> None:
    people.push({"a": "2"}, "two")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "allowed").write_text(f"ann@example.org {key.with_suffix('.pub').read_text()}")
    desk = reverts(people, tmp_path)
    made = desk.write(desk.since(desk.find("HEAD~1")), ANN, "", key)
    desk.push(made, "main")
    git("-c", f"gpg.ssh.allowedSignersFile={tmp_path / 'allowed'}", "verify-commit", made, at=people.remote)
    with pytest.raises(Refused, match="cannot be written"):
        desk.write(desk.since(desk.find("HEAD~1")), ANN, "", tmp_path / "no such key")


@pytest.mark.parametrize("text", ["Ann", "Ann <>", "<ann@example.org>", "Ann <a b>", "Ann\n<ann@example.org>x"])
def test_nobody_is_not_taken_for_somebody(text: str) -> None:
    with pytest.raises(Refused):
        Person.parse(text)
