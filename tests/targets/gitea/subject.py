"""Gitea as the conformance suite sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from gitops_agent.model import Files
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.targets.gitea.server import PERSON, GiteaServer
from tests.targets.proxy import Proxy

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII1EJRCPLX/SRadvqyszz9RU1SPsovdYBeJgQ6Hn2RF5"
HOOK = "http://ci.example/hook"
_ORGANISATION = b"acme:\n  description: The shop's people\n  location: Bern\n"
_TEAM = b"acme/developers:\n  units: {code: write, issues: read}\n  repositories: [shop]\n  members: [ada]\n"
_HOOK = f"acme/shop/ci:\n  url: {HOOK}\n  events: [push, pull_request]\n".encode()
_FIRST = {
    "README.md": b"who may do what\n",
    "organisations.yaml": _ORGANISATION,
    "repositories.yaml": b"acme/shop:\n  description: The shop\n  topics: [web]\n  has_wiki: false\n",
    "teams.yaml": _TEAM,
    "webhooks.yaml": _HOOK,
}
_WITHOUT = {**_FIRST, "repositories.yaml": b"acme/shop:\n  description: The shop\n  topics: [web]\n"}
_SECOND = {
    **{path: content for path, content in _FIRST.items() if path != "teams.yaml"},
    "repositories.yaml": b"acme/shop:\n  description: The new shop\n  has_wiki: false\n",
    "deploy-keys.yaml": f"acme/shop/robot:\n  key: {KEY} somebody@example.org\n".encode(),
    "branch-protections.yaml": b"acme/shop/release/**:\n  required_approvals: 2\n",
}
_SEEN_FIRST = {
    "acme": {"description": "The shop's people", "location": "Bern"},
    "acme/shop": {"description": "The shop", "topics": ["web"], "has_wiki": False, "private": True},
    "acme/developers": {
        "units": {"repo.code": "write", "repo.issues": "read"},
        "members": [PERSON],
        "repositories": ["shop"],
    },
    "acme/shop/ci": {"active": True, "events": 9},
}


class GiteaSubject(AdoptableSubject, AilingSubject):
    kind = "gitea"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "no YAML": {**_FIRST, "teams.yaml": b"{"},
        "an unknown field": {**_FIRST, "repositories.yaml": b"acme/shop:\n  has_wikki: false\n"},
        "no owner": {**_FIRST, "repositories.yaml": b"shop: {}\n"},
        "a topic that Gitea refuses": {**_FIRST, "repositories.yaml": b"acme/shop:\n  topics: [Big Web]\n"},
        "a team without rights": {**_FIRST, "teams.yaml": b"acme/developers: {members: [ada]}\n"},
        "owners with units": {**_FIRST, "teams.yaml": b"acme/Owners: {members: [ada], units: {code: read}}\n"},
        "a private key": {**_FIRST, "deploy-keys.yaml": b"acme/shop/x:\n  key: '-----BEGIN OPENSSH PRIVATE KEY-----'\n"},
        "a list without its switch": {**_FIRST, "branch-protections.yaml": b"acme/shop/main: {push_whitelist_teams: [a]}\n"},
        "the same in another case": {**_FIRST, "repositories-2.yaml": b"acme/Shop: {}\n"},
        "a typo in a file's name": {**_FIRST, "webhook.yaml": _HOOK},
    }

    def __init__(self, directory: Path, server: GiteaServer, proxy: Proxy, token_file: Path) -> None:
        super().__init__(directory)
        self._server = server
        self._proxy = proxy
        self._token_file = token_file
        server.do("POST", "/orgs", {"username": "theirs", "description": "somebody else's"})
        server.do("POST", "/orgs/theirs/repos", {"name": "own", "private": True})

    def settings(self) -> dict[str, Any]:
        return {"address": self._proxy.url, "token_file": str(self._token_file), "timeout": 20, "secrets": ["file:*"]}

    def look(self) -> Mapping[str, Seen]:
        server = self._server
        seen = {name: Seen(_part(found, "description", "location"), found["id"]) for name, found in self._organisations()}
        for name in ("acme/shop", "theirs/own"):
            found = server.get(f"/repos/{name}")
            if found:
                seen[name] = Seen(_part(found, "description", "topics", "has_wiki", "private"), found["updated_at"])
        team = server.team("acme", "developers")
        if team:
            people, repositories = server.names(team["id"], "members", "login"), server.names(team["id"], "repos", "name")
            seen["acme/developers"] = Seen(
                {"units": team["units_map"], "members": people, "repositories": repositories}, team["id"]
            )
        hook = server.hook("acme/shop", HOOK)
        if hook:
            seen["acme/shop/ci"] = Seen({"active": hook["active"], "events": len(hook["events"])}, hook["id"])
        for key in server.get("/repos/acme/shop/keys") or []:
            seen[f"acme/shop/{key['title']}"] = Seen({"key": key["key"].split()[:2], "read_only": key["read_only"]}, key["id"])
        for rule in server.get("/repos/acme/shop/branch_protections") or []:
            seen[f"acme/shop/{rule['rule_name']}"] = Seen(_part(rule, "required_approvals", "enable_push"), rule["updated_at"])
        return seen

    def _organisations(self) -> Iterator[tuple[str, Any]]:
        for name in ("acme", "theirs"):
            found = self._server.get(f"/orgs/{name}")
            if found:
                yield name, found

    def expected(self, files: Files) -> Mapping[str, Any]:
        seen: dict[str, Any] = dict(_SEEN_FIRST)
        if files == _WITHOUT:
            seen["acme/shop"] = {**seen["acme/shop"], "has_wiki": True}
        if files == _SECOND:
            del seen["acme/developers"]
            seen["acme/shop"] = {**seen["acme/shop"], "description": "The new shop", "topics": []}
            seen["acme/shop/robot"] = {"key": KEY.split(), "read_only": True}
            seen["acme/shop/release/**"] = {"required_approvals": 2, "enable_push": False}
        return seen

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"theirs", "theirs/own"})

    def tamper(self) -> None:
        self._server.do("PATCH", "/repos/acme/shop", {"description": "somebody was here"})

    def vandalise(self) -> None:
        self._server.do("DELETE", f"/repos/acme/shop/hooks/{self._server.hook('acme/shop', HOOK)['id']}")

    def plant(self, files: Files) -> None:
        do, seen = self._server.do, self.expected(files)
        do("POST", "/orgs", {"username": "acme", **seen["acme"]})
        shop = {field: value for field, value in seen["acme/shop"].items() if field != "topics"}
        do("POST", "/orgs/acme/repos", {"name": "shop", "private": True})
        do("PATCH", "/repos/acme/shop", shop)
        do("PUT", "/repos/acme/shop/topics", {"topics": seen["acme/shop"]["topics"]})
        units = seen["acme/developers"]["units"]
        team = do("POST", "/orgs/acme/teams", {"name": "developers", "permission": "read", "units_map": units})
        do("PUT", f"/teams/{team['id']}/members/{PERSON}")
        do("PUT", f"/teams/{team['id']}/repos/acme/shop")
        hook = {"type": "gitea", "active": True, "events": ["push", "pull_request"]}
        do("POST", "/repos/acme/shop/hooks", {**hook, "config": {"url": HOOK, "content_type": "json"}})

    @contextmanager
    def ailing(self) -> Iterator[None]:
        """Something else answers in the place of Gitea."""
        proxied = self._proxy.rewrite
        self._proxy.rewrite = lambda _path, _content: b"<html>no Gitea</html>"
        try:
            yield
        finally:
            self._proxy.rewrite = proxied

    def with_secret(self, placeholder: str) -> Files:
        return {**_FIRST, "webhooks.yaml": _HOOK + f"  secret: {placeholder}\n".encode()}

    def writes(self) -> int:
        return len(self._proxy.writes)


def _part(found: Mapping[str, Any], *fields: str) -> dict[str, Any]:
    return {field: found[field] for field in fields}
