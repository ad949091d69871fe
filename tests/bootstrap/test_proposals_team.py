"""The team of Concourse in which proposals are validated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gitops_agent.bootstrap import Blueprint, Ground
from gitops_agent.bootstrap.proposals_team import ProposalsTeam
from gitops_agent.concourse import LoginRefused
from tests.bootstrap.conftest import stand_on
from tests.fakes.concourse import PASSWORD, USER, FakeConcourse
from tests.gitserver import git


@pytest.fixture
def concourse() -> Iterator[FakeConcourse]:
    with FakeConcourse() as fake:
        yield fake


@pytest.fixture
def ground(repo: Path, concourse: FakeConcourse) -> Iterator[Ground]:
    values = {
        "root": f"{repo.parent}/root",
        "owner": {"name": USER, "email": "a@example.org"},
        "addresses": {"concourse": concourse.url},
    }
    (repo / "values/mini-cloud.yaml").write_text(yaml.safe_dump(values))
    git("add", "--all", at=repo)
    git("commit", "--quiet", "--message", "Begin", at=repo)
    made = stand_on(Blueprint.read(repo))
    made.secrets.write("concourse-admin", PASSWORD)
    yield made
    made.close()


def test_it_is_made_for_the_owner_alone(ground: Ground, concourse: FakeConcourse) -> None:
    step = ProposalsTeam(ground, ground.blueprint.proposals_team)
    assert step.missing() == "there is no team proposals"
    step.do()
    assert step.missing() == ""
    assert {who: role for who, role in concourse.roles.items() if who[1] == "proposals"} == {
        (f"local:{USER}", "proposals"): "owner"
    }
    step.do()
    assert step.missing() == ""


def test_a_password_that_concourse_does_not_know_is_said(ground: Ground) -> None:
    ground.secrets.write("concourse-admin", "another")
    with pytest.raises(LoginRefused, match=USER):
        ProposalsTeam(ground, "proposals").missing()


def test_without_previews_there_is_none(repo: Path) -> None:
    (repo / "values/mini-cloud.yaml").write_text("previews: false\n")
    git("add", "--all", at=repo)
    git("commit", "--quiet", "--message", "Begin", at=repo)
    assert Blueprint.read(repo).proposals_team == ""
