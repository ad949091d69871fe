"""The answers of a fake Gitea: statuses, commits, repositories and webhooks, as Gitea 1.26.3 was seen giving them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tests.fakes.gitea_state import Json, Reply, Repository

_DEFAULT_PAGE = 30
_ZERO_TIME = "0001-01-01T00:00:00Z"
DEFAULTS: Mapping[str, Json] = {
    "description": "",
    "website": "",
    "template": False,
    "archived": False,
    "topics": [],
    "updated_at": _ZERO_TIME,
    **dict.fromkeys(
        (
            "has_issues",
            "has_wiki",
            "has_pull_requests",
            "has_projects",
            "has_releases",
            "has_packages",
            "allow_merge_commits",
            "allow_rebase",
            "allow_rebase_explicit",
            "allow_squash_merge",
            "allow_fast_forward_only_merge",
            "allow_rebase_update",
        ),
        True,
    ),
    "has_actions": False,
    "default_merge_style": "merge",
    "default_delete_branch_after_merge": False,
}
_BAD = ("failure", "error", "warning")


@dataclass(frozen=True)
class Asked:
    """One request for a repository that the token may see; `parts` are those of its path."""

    url: str
    repository: Repository
    parts: tuple[str, ...]
    query: Mapping[str, str]
    body: bytes
    largest_page: int
    number: Callable[[], int] = lambda: 1
    """The next id of anything."""
    users: frozenset[str] = frozenset()
    writers: frozenset[str] = frozenset()
    """Who has a right to write to the repository."""
    user: str = ""
    """Who asks."""
    allowed_hosts: str = "external"
    """Kinds of hosts that webhooks may be delivered to."""

    @property
    def api(self) -> str:
        return f"{self.url}/api/v1/repos/{self.repository.name}"

    def problem(self, status: int, message: str, **more: Json) -> Reply:
        return Reply(status, {**more, "message": message, "url": f"{self.url}/api/swagger"})

    def page(self, rows: list[Json]) -> tuple[list[Json], dict[str, str]]:
        size = min(int(self.query.get("limit") or _DEFAULT_PAGE), self.largest_page)
        start = (max(1, int(self.query.get("page") or 1)) - 1) * size
        return rows[start : start + size], {"X-Total-Count": str(len(rows)), "Access-Control-Expose-Headers": "X-Total-Count"}


def repository(asked: Asked) -> Reply:
    owner, _, name = asked.repository.name.partition("/")
    known = {
        "id": asked.repository.id,
        "name": name,
        "full_name": asked.repository.name,
        "private": asked.repository.private,
        "default_branch": "main",
        "mirror": False,
        **DEFAULTS,
        **asked.repository.settings,
    }
    return Reply(200, {**known, "owner": _user(asked.url, owner), "html_url": f"{asked.url}/{asked.repository.name}"})


def commit(asked: Asked) -> Reply:
    sha = asked.parts[0]
    if not asked.repository.has(sha):
        return asked.problem(404, f"commit doesn't exist: {sha}", errors=None)
    return Reply(200, {"sha": sha, "url": f"{asked.api}/git/commits/{sha}", "parents": [], "files": None, "stats": None})


def create_status(asked: Asked) -> Reply:
    sha = asked.parts[0]
    try:
        form = json.loads(asked.body)
    except ValueError:
        return asked.problem(422, "[]: unexpected EOF")
    if not asked.repository.has(sha):  # the oddity that makes clients think Gitea is broken
        return asked.problem(500, f"GetCommit[{sha}]: object does not exist [id: {sha}, rel_path: ]")
    rows = asked.repository.statuses.setdefault(sha, [])
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    row = {
        "id": len(rows) + 1,
        "status": form.get("state", ""),  # whatever it is
        "target_url": form.get("target_url", ""),
        "description": form.get("description", ""),
        "url": f"{asked.api}/statuses/{sha}",
        "context": form.get("context", ""),
        "creator": _user(asked.url, asked.repository.name.partition("/")[0]),
        "created_at": now,
        "updated_at": now,
    }
    rows.append(row)
    return Reply(201, row)


def list_statuses(asked: Asked) -> Reply:
    rows = list(asked.repository.statuses.get(asked.parts[0], []))  # none for an unknown commit, not 404
    match asked.query.get("sort"):
        case "oldest" | "highestindex":
            pass
        case "leastindex":
            rows.reverse()
        case _:  # newest second first, and within a second the oldest first
            rows.sort(key=lambda row: str(row["updated_at"]), reverse=True)
    page, headers = asked.page(rows)
    return Reply(200, page, headers)


def combined_status(asked: Asked) -> Reply:
    sha = asked.parts[0]
    if not asked.repository.has(sha):
        return asked.problem(404, "not found", errors=[f"object does not exist [id: {sha}, rel_path: ]"])
    newest = {row["context"]: row for row in asked.repository.statuses.get(sha, [])}
    by_id = sorted(newest.values(), key=lambda row: int(row["id"]), reverse=True)
    page, headers = asked.page(by_id)
    page.reverse()  # the newest page comes first, and the oldest of its rows
    states = {row["status"] for row in page}  # of this page only
    state = "failure" if states & set(_BAD) else "success" if states and states <= {"success", "skipped"} else "pending"
    links = {"commit_url": f"{asked.api}/commits/{sha}", "url": f"{asked.api}/commits/{sha}/status"}
    shown = repository(asked).body
    return Reply(
        200, {"state": state, "sha": sha, "total_count": len(page), "statuses": page, "repository": shown, **links}, headers
    )


def list_hooks(asked: Asked) -> Reply:
    page, headers = asked.page([_shown(hook) for hook in asked.repository.hooks])
    return Reply(200, page, headers)


def create_hook(asked: Asked) -> Reply:
    form = json.loads(asked.body)
    hook = {
        "id": asked.repository.next_hook,
        "name": form.get("name", ""),
        "type": form["type"],
        "branch_filter": form.get("branch_filter", ""),
        "config": form["config"],
        "events": _expanded(form.get("events")),
        "authorization_header": form.get("authorization_header", ""),
        "active": form.get("active", False),
        "updated_at": _ZERO_TIME,
        "created_at": _ZERO_TIME,
    }
    asked.repository.hooks.append(hook)
    asked.repository.next_hook += 1
    return Reply(201, _shown(hook))


def edit_hook(asked: Asked) -> Reply:
    """What is not said is reset, and the secret stays as it was, whatever is said."""
    form = json.loads(asked.body)
    hook = next((hook for hook in asked.repository.hooks if str(hook["id"]) == asked.parts[0]), None)
    if hook is None:
        return asked.problem(404, "not found", errors=None)
    hook["config"] |= {name: value for name, value in (form.get("config") or {}).items() if name != "secret"}
    hook |= {"events": _expanded(form.get("events")), "branch_filter": form.get("branch_filter", "")}
    hook |= {"active": form.get("active", hook["active"]), "authorization_header": form.get("authorization_header", "")}
    return Reply(200, _shown(hook))


def _expanded(events: list[str] | None) -> list[str]:
    parts = ("assign", "comment", "label", "milestone", "review", "review_request", "sync")
    inner = [f"pull_request_{part}" for part in parts] if "pull_request" in (events or ()) else []
    return [*(events or ["push"]), *inner]


def delete_hook(asked: Asked) -> Reply:
    kept = [hook for hook in asked.repository.hooks if str(hook["id"]) != asked.parts[0]]
    if len(kept) == len(asked.repository.hooks):
        return asked.problem(404, "not found", errors=None)
    asked.repository.hooks[:] = kept
    return Reply(204)


def _shown(hook: dict[str, Json]) -> dict[str, Json]:
    """The secret never comes back."""
    return {**hook, "config": {name: value for name, value in hook["config"].items() if name != "secret"}}


def _user(url: str, login: str) -> dict[str, Json]:
    return {"id": 1, "login": login, "username": login, "html_url": f"{url}/{login}", "is_admin": False}


Answer: TypeAlias = Callable[[Asked], Reply]
ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("GET", r"", repository),
    ("GET", r"/git/commits/([^/]+)", commit),
    ("POST", r"/statuses/([^/]+)", create_status),
    ("GET", r"/statuses/([^/]+)", list_statuses),
    ("GET", r"/commits/([^/]+)/statuses", list_statuses),
    ("GET", r"/commits/([^/]+)/status", combined_status),
    ("GET", r"/hooks", list_hooks),
    ("POST", r"/hooks", create_hook),
    ("PATCH", r"/hooks/([0-9]+)", edit_hook),
    ("DELETE", r"/hooks/([0-9]+)", delete_hook),
)
"""Method, path below the repository, and what answers."""
