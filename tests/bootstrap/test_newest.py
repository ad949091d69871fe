"""Which commit bootstrap goes by, on real git: the source's, from the first push on; else what was applied last."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gitops_agent.bootstrap import Blueprint, Ground, newest, of_root
from gitops_agent.errors import ConfigError, Refused
from tests.bootstrap.conftest import stand_on
from tests.gitserver import git


def commit(repo: Path, text: str) -> str:
    (repo / "README.md").write_text(text)
    git("commit", "--quiet", "--all", "--message", text, at=repo)
    return git("rev-parse", "HEAD", at=repo)


@pytest.fixture
def begun(ground: Ground) -> Ground:
    """The mini-cloud is there."""
    ground.state.mkdir(parents=True)
    return ground


def pushed(ground: Ground) -> Path:
    """What bootstrap has made of the clone: the repository that the agent follows."""
    path = ground.blueprint.facts.root / "config.git"
    git("clone", "--quiet", "--bare", ground.blueprint.place, path, at=Path("/"))
    return path


def applied(ground: Ground, repo: Path) -> None:
    """As an agent's mirror has it that has brought the repository's commit to its end."""
    mirror = ground.state / "mini-cloud/mirror.git"
    mirror.parent.mkdir(exist_ok=True)
    git("init", "--quiet", "--bare", mirror, at=Path("/"))
    git("fetch", "--quiet", repo, "+main:refs/gitops/mini-cloud/applied", at=mirror)


def test_on_an_empty_host_the_clone_is_all_there_is(ground: Ground) -> None:
    assert newest(ground) is None
    assert not ground.state.exists()


def test_a_clone_that_is_behind_is_not_gone_by(begun: Ground, repo: Path, tmp_path: Path) -> None:
    bare = pushed(begun)
    assert newest(begun) is None, "nobody has pushed since"
    other = tmp_path / "other"
    git("clone", "--quiet", bare, other, at=tmp_path)
    pushed_since = commit(other, "Somebody else's work")
    git("push", "--quiet", "origin", "main", at=other)
    newer = newest(begun)
    assert newer is not None
    assert newer.revision.sha == pushed_since
    assert newest(stand_on(newer)) is None


def test_what_was_never_pushed_is_not_gone_by(begun: Ground, repo: Path) -> None:
    pushed(begun)
    commit(repo, "A draft")
    newer = newest(stand_on(Blueprint.read(repo)))
    assert newer is not None
    assert newer.revision == begun.blueprint.revision


def test_while_the_source_is_gone_a_clone_that_is_behind_is_not_gone_by_either(begun: Ground, repo: Path) -> None:
    clone = Blueprint.read(repo)
    newer_sha = commit(repo, "Applied, and nowhere but in the mirror")
    applied(begun, repo)
    git("reset", "--quiet", "--hard", "HEAD^", at=repo)
    newer = newest(stand_on(clone))
    assert newer is not None
    assert newer.revision.sha == newer_sha


def test_while_the_source_is_gone_a_clone_that_is_ahead_mends_it(begun: Ground, repo: Path) -> None:
    """A host without Gitea can always be mended."""
    applied(begun, repo)
    commit(repo, "A mend")
    assert newest(stand_on(Blueprint.read(repo))) is None


def test_a_clone_that_has_parted_from_what_was_applied_is_refused(begun: Ground, repo: Path) -> None:
    commit(repo, "Applied")
    applied(begun, repo)
    git("reset", "--quiet", "--hard", "HEAD^", at=repo)
    commit(repo, "Something else")
    with pytest.raises(Refused, match=r"does not follow what was applied last, [0-9a-f]{10}: merge that"):
        newest(stand_on(Blueprint.read(repo)))


def test_a_lost_config_repo_comes_back_from_the_mirror(begun: Ground, repo: Path) -> None:
    sha = commit(repo, "The last that was good")
    applied(begun, repo)
    shutil.rmtree(repo)
    found = Blueprint.read(of_root(begun.blueprint.facts.root))
    assert found.revision.sha == sha
    assert found.facts == begun.blueprint.facts


def test_where_nothing_was_applied_nothing_comes_back(begun: Ground) -> None:
    root = begun.blueprint.facts.root
    with pytest.raises(ConfigError, match="no agent was ever here"):
        of_root(root)
    mirror = begun.state / "mini-cloud/mirror.git"
    mirror.parent.mkdir()
    git("init", "--quiet", "--bare", mirror, at=Path("/"))
    with pytest.raises(ConfigError, match="knows of nothing that was applied"):
        of_root(root)
