"""Raw looks at a Gitea and changes by hand, real or fake: through HTTP, and not through the target."""

from __future__ import annotations

import secrets
from typing import Any

import requests

BOT, PERSON = "gitops-bot", "ada"
SCOPES = ("write:organization", "write:repository", "write:user")
"""What docs/targets/gitea.md says the agent's token needs; `read:user` will do once the record is there."""
_OURS = ("acme", "theirs")


class GiteaServer:
    def __init__(self, url: str, admin: tuple[str, str]) -> None:
        """`admin` is name and password of an administrator."""
        self.url = url
        self._admin = admin
        self._password = secrets.token_hex(12)
        self._token = ""
        for user in (BOT, PERSON):
            self._ensure_user(user)
        self._token = self.token("all")

    def call(self, method: str, path: str, body: Any = None, *, auth: Any = None) -> requests.Response:
        """As the agent's user, with all rights that it has."""
        headers = {} if auth else {"Authorization": f"token {self._token}"}
        return requests.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers, auth=auth, timeout=30)

    def get(self, path: str) -> Any:
        """None where there is nothing."""
        answer = self.call("GET", path)
        assert answer.status_code in (200, 404), f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.ok else None

    def do(self, method: str, path: str, body: Any = None, *, auth: Any = None) -> Any:
        answer = self.call(method, path, body, auth=auth)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def token(self, *scopes: str) -> str:
        """A token of the agent's user with exactly these scopes."""
        form = {"name": secrets.token_hex(6), "scopes": [*scopes]}
        return str(self.do("POST", f"/users/{BOT}/tokens", form, auth=(BOT, self._password))["sha1"])

    def hook(self, repository: str, url: str) -> Any:
        """The one hook of that address, None where there is none."""
        hooks = [hook for hook in self.get(f"/repos/{repository}/hooks") or [] if hook["config"]["url"] == url]
        assert len(hooks) < 2, f"{url} is hooked {len(hooks)} times"
        return hooks[0] if hooks else None

    def team(self, organisation: str, name: str) -> Any:
        teams = self.get(f"/orgs/{organisation}/teams") or []
        return next((team for team in teams if team["name"] == name), None)

    def names(self, team: int, what: str, field: str) -> list[str]:
        return sorted(row[field] for row in self.get(f"/teams/{team}/{what}"))

    def empty(self) -> None:
        """Removes what these tests make, and nothing else."""
        for organisation in _OURS:
            if self.call("GET", f"/orgs/{organisation}").ok:
                while repositories := self.do("GET", f"/orgs/{organisation}/repos", auth=self._admin):
                    for repository in repositories:
                        self.do("DELETE", f"/repos/{repository['full_name']}", auth=self._admin)
                self.do("DELETE", f"/orgs/{organisation}", auth=self._admin)
        self.call("DELETE", f"/repos/{BOT}/gitops-agent")

    def _ensure_user(self, name: str) -> None:
        form = {"username": name, "password": self._password, "email": f"{name}@example.org", "must_change_password": False}
        if self.call("POST", "/admin/users", form, auth=self._admin).status_code == 422:  # from an earlier run
            self.do("PATCH", f"/admin/users/{name}", {"login_name": name, "source_id": 0, **form}, auth=self._admin)
