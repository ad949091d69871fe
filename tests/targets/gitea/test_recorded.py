"""What a real Gitea answered to a user with the documented scopes, asked of the fake: it says the same, and nothing of its own
invention. `GITEA_RECORD=1` with a live Gitea records anew."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ROOT
from tests.targets.gitea.server import BOT, PERSON, SCOPES, GiteaServer
from tests.targets.gitea.subject import KEY

Exchange = dict[str, Any]
RECORDED = ROOT / "tests/recorded/gitea-1.26.3/target/exchanges.json"
_SAME = frozenset(
    (
        "name",
        "title",
        "login",
        "description",
        "location",
        "visibility",
        "private",
        "topics",
        "default_branch",
        "has_wiki",
        "permission",
        "units_map",
        "includes_all_repositories",
        "can_create_org_repo",
        "full_name",
        "archived",
        "branch_filter",
        "rule_name",
        "required_approvals",
        "enable_push",
        "enable_push_whitelist",
        "push_whitelist_usernames",
        "active",
        "type",
        "status_check_contexts",
        "read_only",
        "key",
        "message",
        "path",
        "content",
        "sha",
        "has_issues",
        "allow_rebase",
        "config",
    )
)
"""Where values have to be the same; elsewhere their type, and null may stand for either."""

_FILE = f"/repos/{BOT}/gitops-agent/contents/mini/gitea.json"
_HOOK = {"type": "gitea", "config": {"url": "http://a.example/", "content_type": "json", "secret": "untold"}, "active": True}
_UNITS = {"repo.code": "write", "repo.issues": "read"}
_TEAM = {"name": "developers", "permission": "read", "units_map": _UNITS, "includes_all_repositories": False}
_OLD = "0123456789012345678901234567890123456789"

SCENE: list[tuple[str, str, Any]] = [
    ("GET", "/user", None),
    ("GET", _FILE, None),
    ("GET", f"/repos/{BOT}/gitops-agent", None),
    ("POST", "/user/repos", {"name": "gitops-agent", "private": True, "auto_init": True, "default_branch": "main"}),
    ("POST", "/user/repos", {"name": "gitops-agent", "private": True}),
    ("POST", _FILE, {"content": "e30=", "message": "first"}),
    ("POST", _FILE, {"content": "e30=", "message": "again"}),
    ("GET", _FILE, None),
    ("PUT", _FILE, {"content": "e30K", "message": "late", "sha": _OLD}),
    ("PUT", _FILE, {"content": "e30K", "message": "second", "sha": "{content.sha}"}),
    ("GET", "/orgs/acme", None),
    ("POST", "/orgs", {"username": "acme", "description": "people"}),
    ("POST", "/orgs", {"username": "acme"}),
    ("PATCH", "/orgs/acme", {"location": "Bern", "visibility": "limited"}),
    ("GET", "/orgs/acme/teams?page=1&limit=50", None),
    ("GET", "/repos/acme/shop", None),
    ("GET", "/repos/acme/shop/hooks?page=1&limit=50", None),
    ("POST", "/orgs/acme/repos", {"name": "shop", "private": True}),
    ("POST", "/orgs/acme/repos", {"name": "shop", "private": True}),
    ("POST", "/orgs/nobody/repos", {"name": "shop"}),
    ("PUT", "/repos/acme/shop/topics", {"topics": ["web", "shop"]}),
    ("PUT", "/repos/acme/shop/topics", {"topics": ["Not a topic"]}),
    ("PATCH", "/repos/acme/shop", {"description": "The shop", "has_wiki": False, "archived": False}),
    ("GET", "/repos/acme/shop", None),
    ("GET", "/orgs?page=1&limit=50", None),
    ("GET", "/user/orgs?page=1&limit=50", None),
    ("GET", f"/users/{BOT}/orgs/acme/permissions", None),
    ("GET", f"/users/{PERSON}/orgs/acme/permissions", None),
    ("GET", "/orgs/acme/hooks?page=1&limit=50", None),
    ("GET", "/repos/search?page=1&limit=50", None),
    ("POST", "/orgs/acme/teams", _TEAM),
    ("POST", "/orgs/acme/teams", _TEAM),
    ("GET", "/orgs/acme/teams?page=1&limit=50", None),
    ("PUT", f"/teams/{{id of developers}}/members/{PERSON}", None),
    ("PUT", "/teams/{id of developers}/members/nobody-at-all", None),
    ("PUT", "/teams/{id of developers}/repos/acme/shop", None),
    ("PUT", "/teams/{id of developers}/repos/acme/none", None),
    ("GET", "/teams/{id of developers}/members?page=1&limit=50", None),
    ("GET", "/teams/{id of developers}/repos?page=1&limit=50", None),
    ("PATCH", "/teams/{id of developers}", {**_TEAM, "units_map": {"repo.code": "read"}, "description": "they"}),
    ("PATCH", "/teams/{id of developers}", {**_TEAM, "permission": "admin", "units_map": {}}),
    ("DELETE", f"/teams/{{id of developers}}/members/{PERSON}", None),
    ("DELETE", "/teams/{id of developers}/repos/acme/shop", None),
    ("POST", "/repos/acme/shop/hooks", {**_HOOK, "events": ["push", "pull_request"]}),
    ("PATCH", "/repos/acme/shop/hooks/{id}", {"config": {"url": "http://b.example/", "secret": "no"}, "active": False}),
    ("GET", "/repos/acme/shop/hooks?page=1&limit=50", None),
    ("PATCH", "/repos/acme/shop/hooks/99999", {"active": True}),
    ("POST", "/repos/acme/shop/keys", {"title": "robot", "key": f"{KEY} me", "read_only": True}),
    ("POST", "/repos/acme/shop/keys", {"title": "robot", "key": f"{KEY} me", "read_only": True}),
    ("POST", "/repos/acme/shop/keys", {"title": "other", "key": "ssh-ed25519 AAAA", "read_only": True}),
    ("GET", "/repos/acme/shop/keys?page=1&limit=50", None),
    ("POST", "/repos/acme/shop/branch_protections", {"rule_name": "release/**", "required_approvals": 1}),
    ("POST", "/repos/acme/shop/branch_protections", {"rule_name": "release/**"}),
    (
        "PATCH",
        "/repos/acme/shop/branch_protections/release%2F%2A%2A",
        {"enable_push": True, "enable_push_whitelist": True, "push_whitelist_usernames": [PERSON, BOT]},
    ),
    ("PATCH", "/repos/acme/shop/branch_protections/release%2F%2A%2A", {"push_whitelist_usernames": ["nobody-at-all"]}),
    ("GET", "/repos/acme/shop/branch_protections?page=1&limit=50", None),
    ("DELETE", "/repos/acme/shop/branch_protections/release%2F%2A%2A", None),
    ("DELETE", "/repos/acme/shop/branch_protections/release%2F%2A%2A", None),
    ("DELETE", "/orgs/acme", None),
    ("DELETE", "/teams/{id of developers}", None),
    ("DELETE", "/repos/acme/shop", None),
    ("DELETE", "/repos/acme/shop", None),
    ("DELETE", "/orgs/acme", None),
    ("DELETE", "/orgs/acme", None),
]


def play(server: GiteaServer) -> list[Exchange]:
    """Asks everything in order; `{…}` stands for what an answer before said."""
    headers = {"Authorization": f"token {server.token(*SCOPES)}"}
    said: dict[str, str] = {}
    exchanges = []
    for method, path, body in SCENE:
        where, what = path, json.dumps(body)
        for name, value in said.items():
            where, what = where.replace(f"{{{name}}}", value), what.replace(f"{{{name}}}", value)
        answer = requests.request(method, f"{server.url}/api/v1{where}", json=json.loads(what), headers=headers, timeout=30)
        content = answer.json() if answer.content else None
        if answer.ok and isinstance(content, dict):
            said |= {"id": str(content.get("id")), f"id of {content.get('name')}": str(content.get("id"))}
            if "content" in content:
                said["content.sha"] = content["content"]["sha"] if isinstance(content["content"], dict) else content["sha"]
        total = answer.headers.get("X-Total-Count")
        response = {"status": answer.status_code, "total": total, "json": content}
        exchanges.append({"request": {"method": method, "path": path, "json": body}, "response": response})
    return exchanges


def test_the_fake_answers_like_the_real_one(gitea: GiteaServer, request: pytest.FixtureRequest) -> None:
    live = "live" in request.node.name
    ours = play(gitea)
    if live and "GITEA_RECORD" in os.environ:
        _save(RECORDED, ours, gitea.url)
    recorded = json.loads(RECORDED.read_text())["exchanges"]
    for mine, real in zip(ours, recorded, strict=True):
        where = f"{real['request']['method']} {real['request']['path']}"
        assert mine["request"] == real["request"], f"{where}: record anew"
        assert mine["response"]["status"] == real["response"]["status"], f"{where}: {mine['response']}"
        assert mine["response"]["total"] == real["response"]["total"], where
        _compare(json.loads(_masked(json.dumps(mine["response"]["json"]), gitea.url)), real["response"]["json"], where)


def _compare(ours: Any, real: Any, where: str) -> None:
    if ours is None or real is None:
        return
    assert type(ours) is type(real), f"{where}: {ours} {real}"
    if isinstance(ours, list):
        assert len(ours) == len(real), where
        for one, other in zip(ours, real, strict=True):
            _compare(one, other, where)
    if isinstance(ours, dict):
        assert ours.keys() <= real.keys(), f"{where}: {ours.keys() - real.keys()} is our invention"
        for name in ours:
            dated = name == "sha" and ".commit" in where  # a commit's says when it was made
            if name in _SAME and not dated and not isinstance(ours[name], dict):
                assert _without_ids(ours[name]) == _without_ids(real[name]), f"{where}.{name}"
            else:
                _compare(ours[name], real[name], f"{where}.{name}")


def _without_ids(value: Any) -> Any:
    return re.sub(r"org_id: \d+", "org_id: 1", value) if isinstance(value, str) else value


def _save(path: Path, exchanges: list[Exchange], url: str) -> None:
    lines = ",\n".join(json.dumps(exchange, ensure_ascii=False) for exchange in exchanges)
    text = f'{{"server": "Gitea 1.26.3", "exchanges": [\n{lines}\n]}}\n'
    path.write_text(_masked(text, url))


def _masked(text: str, url: str) -> str:
    return text.replace(url, "http://gitea.example").replace("127.0.0.1", "gitea.example")
