"""Gitea's people and tokens by the login of an administrator, where Gitea's own command in its container is not to be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_agent.bootstrap import Blueprint, Credentials, Ground
from gitops_agent.bootstrap.gitea import GiteaPeople
from gitops_agent.errors import Refused
from tests.bootstrap.conftest import stand_on
from tests.fakes.gitea import FakeGitea
from tests.gitserver import git


@pytest.fixture
def gitea() -> Iterator[FakeGitea]:
    with FakeGitea() as fake:
        fake.add_user("somebody", "somebodys-password")
        yield fake


def ground(repo: Path, gitea: FakeGitea, login: str) -> Ground:
    values = f"root: {repo.parent}/root\naddresses: {{gitea: '{gitea.url}'}}\n"
    (repo / "values/mini-cloud.yaml").write_text(values)
    git("add", "--all", at=repo)
    git("commit", "--quiet", "--message", "Begin", at=repo)
    file = repo.parent / "login"
    file.write_text(f"{login}\n")
    return stand_on(Blueprint.read(repo), Credentials(gitea_admin=file))


def test_people_and_tokens_by_another_administrators_login(repo: Path, gitea: FakeGitea) -> None:
    gitea.add_user("boss", "the-bosss-password", admin=True)
    on = ground(repo, gitea, "boss:the-bosss-password")
    step = GiteaPeople(on)
    assert step.missing().startswith("no user admin1; no user gitops-agent; no gitops-agent-gitea-token")
    step.do()
    assert step.missing() == ""
    assert (gitea.users, gitea.admins) == ({"admin1", "boss", "gitops-agent", "somebody"}, {"admin1", "boss"})
    assert gitea.passwords["admin1"] == on.secrets.read("gitea-admin")
    assert gitea.passwords["boss"] == "the-bosss-password"
    scopes = {
        name: gitea.tokens[on.secrets.read(f"{name}-gitea-token")] for name in ("gitops-agent", "gitops-agent-preview", "concourse")
    }
    assert scopes == {
        "gitops-agent": {"write:issue", "write:organization", "write:package", "write:repository", "write:user"},
        "gitops-agent-preview": {"read:organization", "read:repository", "read:user"},
        "concourse": {"read:package", "read:repository", "read:user"},
    }
    assert gitea.organisations["mini-cloud"].teams[0].members == ["gitops-agent", "admin1"]
    assert not gitea.issued.get("boss"), "no token of the administrator's was made"
    on.close()


def test_the_owner_keeps_a_password_that_was_there_before(repo: Path, gitea: FakeGitea) -> None:
    gitea.add_user("admin1", "chosen-by-a-person", admin=True)
    on = ground(repo, gitea, "admin1:chosen-by-a-person")
    step = GiteaPeople(on)
    step.do()
    assert step.missing() == ""
    assert gitea.passwords["admin1"] == "chosen-by-a-person"
    on.close()


@pytest.mark.parametrize(
    ("login", "complaint"),
    [
        ("somebody:somebodys-password", "is no login of an administrator of Gitea's"),
        ("somebody:wrong", "is no login of an administrator of Gitea's"),
        ("a-token-without-a-name", "holds no login of Gitea: one line, NAME:PASSWORD"),
    ],
)
def test_what_is_no_login_of_an_administrator_is_refused(repo: Path, gitea: FakeGitea, login: str, complaint: str) -> None:
    on = ground(repo, gitea, login)
    with pytest.raises(Refused, match=complaint):
        GiteaPeople(on).missing()
    on.close()
