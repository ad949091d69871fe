"""What a Gitea holds, as a config repo. A fake; with GITEA_LIVE, GITEA_LIVE_USER and GITEA_LIVE_PASSWORD a real one as well."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from gitops_agent.adopt.described import Described
from gitops_agent.adopt.left import Left, Why
from tests.adopt.looking import first_plan, look, plans_of_kept, without_secrets
from tests.canary import Canary
from tests.fakes.gitea import FakeGitea
from tests.targets.gitea.server import BOT, PERSON, GiteaServer
from tests.targets.gitea.subject import KEY

_READING = ("read:organization", "read:repository", "read:user")
_FAKE_ADMIN = ("admin", "admins-password")
_SERVERS: list[Any] = ["fake"]
if "GITEA_LIVE" in os.environ:
    _SERVERS.append(pytest.param("live", marks=pytest.mark.live))


class Served(NamedTuple):
    """`admin` is name and password of an administrator."""

    gitea: GiteaServer
    admin: tuple[str, str]

    def admins_token(self) -> str:
        form = {"name": secrets.token_hex(6), "scopes": [*_READING]}
        return str(self.gitea.do("POST", f"/users/{self.admin[0]}/tokens", form, auth=self.admin)["sha1"])


@pytest.fixture(params=_SERVERS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    if request.param == "live":
        admin = os.environ["GITEA_LIVE_USER"], os.environ["GITEA_LIVE_PASSWORD"]
        server = GiteaServer(os.environ["GITEA_LIVE"], admin)
        _empty(server)
        yield Served(server, admin)
        _empty(server)
    else:
        with FakeGitea() as fake:
            fake.add_user(*_FAKE_ADMIN, admin=True)
            yield Served(GiteaServer(fake.url, _FAKE_ADMIN), _FAKE_ADMIN)


def _empty(server: GiteaServer) -> None:
    server.empty()
    server.call("DELETE", f"/repos/{BOT}/site")


@pytest.fixture
def gitea(served: Served) -> GiteaServer:
    """With an organisation and a repository."""
    served.gitea.do("POST", "/orgs", {"username": "acme", "description": "The shop's people", "visibility": "private"})
    served.gitea.do("POST", "/orgs/acme/repos", {"name": "shop", "private": True})
    return served.gitea


Look = Callable[..., Described]


@pytest.fixture
def looked(served: Served, tmp_path: Path) -> Look:
    def looked(left: Left, token: str = "", server: GiteaServer = served.gitea) -> Described:
        (tmp_path / "token").write_text(token or server.token(*_READING))
        return look("gitea", server.url, tmp_path / "token", left)["gitea"]

    return looked


def declared(described: Described, file: str) -> Any:
    """Of ours: a real one may hold more."""
    found = yaml.safe_load(described.files().get(file, b"{}"))
    return {name: value for name, value in found.items() if name.partition("/")[0] in ("acme", "theirs", BOT)}


def hook(gitea: GiteaServer, url: str, **more: Any) -> None:
    body = {"type": "gitea", "active": True, "events": ["push"], "config": {"url": url, "content_type": "json"}}
    gitea.do("POST", "/repos/acme/shop/hooks", {**body, **more})


def test_everything_that_the_target_declares(gitea: GiteaServer, looked: Look, tmp_path: Path) -> None:
    gitea.do("PUT", "/repos/acme/shop/topics", {"topics": ["web"]})
    gitea.do("PATCH", "/repos/acme/shop", {"description": "The shop", "has_wiki": False, "default_merge_style": "squash"})
    gitea.do("POST", "/user/repos", {"name": "site", "private": False, "default_branch": "trunk"})
    units = {"repo.code": "write", "repo.issues": "read"}
    team = gitea.do("POST", "/orgs/acme/teams", {"name": "developers", "permission": "read", "units_map": units})
    gitea.do("PUT", f"/teams/{team['id']}/members/{PERSON}")
    gitea.do("PUT", f"/teams/{team['id']}/repos/acme/shop")
    gitea.do("POST", "/repos/acme/shop/keys", {"title": "a robot", "key": f"{KEY} robot@example.org", "read_only": False})
    rule = {"rule_name": "release/**", "required_approvals": 2, "enable_push": True}
    gitea.do("POST", "/repos/acme/shop/branch_protections", rule)
    hook(gitea, "http://ci.example/hook", events=["push", "pull_request"])
    left = Left()
    described = looked(left)
    assert declared(described, "organisations.yaml") == {"acme": {"description": "The shop's people", "visibility": "private"}}
    shop, site = (declared(described, "repositories.yaml")[name] for name in ("acme/shop", f"{BOT}/site"))
    assert {**shop, "has_actions": False} == {
        "description": "The shop",
        "topics": ["web"],
        "has_wiki": False,
        "has_actions": False,
        "default_merge_style": "squash",
    }
    assert {**site, "has_actions": False} == {"private": False, "default_branch": "trunk", "has_actions": False}
    assert declared(described, "teams.yaml") == {
        "acme/Owners": {"members": [BOT]},
        "acme/developers": {"units": {"code": "write", "issues": "read"}, "repositories": ["shop"], "members": [PERSON]},
    }
    assert declared(described, "deploy-keys.yaml") == {"acme/shop/a robot": {"key": KEY, "read_only": False}}
    assert declared(described, "branch-protections.yaml") == {
        "acme/shop/release/**": {"enable_push": True, "required_approvals": 2}
    }
    (webhook,) = declared(described, "webhooks.yaml").values()
    assert webhook["url"] == "http://ci.example/hook"
    assert "pull_request" in webhook["events"]
    plan = first_plan(described, tmp_path)
    assert {*plan.values()} == {"adopt"}
    assert len(plan) == 8
    assert "is told to nobody" in left.found[Why.ATTENTION]["webhook acme/shop/ci.example"]
    assert "gitea's users" in left.found[Why.SYSTEM]


def test_what_opens_a_hook_becomes_a_reference(gitea: GiteaServer, looked: Look, tmp_path: Path, canary: Canary) -> None:
    token, password = canary.secret("c0ncourse-W3bhook-token"), canary.secret("pa55word-of-the-ci")
    path, header = canary.secret(secrets.token_urlsafe(40)), canary.secret(f"Basic {secrets.token_hex(12)}")
    word = canary.secret("correcthorse")
    for url in (
        f"http://ci.example/api/v1/check/webhook?webhook_token={token}&branch=main",
        f"http://agent:{password}@hooks.example/in",
        f"https://chat.example/api/webhooks/{path}",
        f"https://weak.example/?token={word}",
    ):
        hook(gitea, url)
    own = {"url": "http://agent.example/webhook/gitea", "content_type": "json", "secret": canary.secret("of-the-h00k-itself")}
    hook(gitea, own["url"], authorization_header=header, config=own)
    left = Left()
    described = looked(left)
    assert {*first_plan(described, tmp_path).values()} == {"adopt"}
    kept = without_secrets({"gitea": described}, left)
    assert {token, password, path, header, f"https://weak.example/?token={word}"} == {*kept.secrets.values()}
    assert b"http://ci.example/api/v1/check/webhook?webhook_token={{" in kept.files["gitea/webhooks.yaml.j2"]
    assert {*plans_of_kept({"gitea": described}, kept, tmp_path).values()} == {"adopt"}
    canary.watch(b"".join(kept.files.values()), str(left.to_json()))


def test_what_cannot_be_declared_is_told(served: Served, gitea: GiteaServer, looked: Look, tmp_path: Path) -> None:
    slack = {"url": "https://slack.example/x", "content_type": "json", "channel": "#a"}
    hook(gitea, slack["url"], type="slack", config=slack)
    gitea.do("POST", "/orgs/acme/hooks", {"type": "gitea", "config": {"url": "http://all.example/", "content_type": "json"}})
    gitea.do("POST", "/repos/acme/shop/keys", {"title": "with/slash", "key": KEY, "read_only": True})
    gitea.do("POST", "/user/repos", {"name": "gitops-agent", "private": True})
    left = Left()
    described = looked(left, served.admins_token())
    assert {*first_plan(described, tmp_path).values()} == {"adopt"}
    assert not declared(described, "webhooks.yaml")
    assert declared(described, "deploy-keys.yaml")
    told = left.found[Why.SYSTEM]
    assert told["webhooks of organisation acme"] == "only those of repositories can be declared"
    assert told[f"repository {BOT}/gitops-agent"] == f"is {BOT}'s own"
    assert told["webhook acme/shop/slack.example"].startswith("type: ")
    left = Left()
    looked(left)
    assert left.found[Why.WRITTEN] == {f"repository {BOT}/gitops-agent": "the agent's own records"}


def test_an_owner_is_told_of_what_others_own(served: Served, gitea: GiteaServer, looked: Look, tmp_path: Path) -> None:
    gitea.do("POST", f"/admin/users/{served.admin[0]}/orgs", {"username": "theirs"}, auth=served.admin)
    units = {"repo.code": "read"}
    team = gitea.do("POST", "/orgs/theirs/teams", {"name": "readers", "permission": "read", "units_map": units}, auth=served.admin)
    gitea.do("PUT", f"/teams/{team['id']}/members/{BOT}", auth=served.admin)
    left = Left()
    described = looked(left)
    assert {*declared(described, "organisations.yaml")} == {"acme"}
    assert {*first_plan(described, tmp_path).values()} == {"adopt"}
    assert left.found[Why.ATTENTION]["organisation theirs"] == f"{BOT}, whose token it is, is none of its owners"
    everything = looked(Left(), served.admins_token())
    assert {*declared(everything, "organisations.yaml")} == {"acme", "theirs"}
    assert "theirs/readers" in declared(everything, "teams.yaml")


def test_a_mirror_would_come_back_as_something_else(looked: Look) -> None:
    with FakeGitea() as fake:
        fake.add_user(*_FAKE_ADMIN, admin=True)
        server = GiteaServer(fake.url, _FAKE_ADMIN)
        server.do("POST", "/orgs", {"username": "acme"})
        server.do("POST", "/orgs/acme/repos", {"name": "copy"})
        fake.repositories["acme/copy"].settings["mirror"] = True
        left = Left()
        assert looked(left, server=server).files().keys() == {"organisations.yaml", "teams.yaml"}
    assert "is a mirror" in left.found[Why.SYSTEM]["repository acme/copy"]


def test_without_a_token_it_is_told(served: Served) -> None:
    left = Left()
    assert look("gitea", served.gitea.url, None, left) == {}
    (why,) = left.found[Why.ATTENTION].values()
    assert "give it a token: --gitea-token FILE" in why
