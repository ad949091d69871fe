"""Issues and comments of a fake Gitea, as Gitea 1.26.3 was seen giving them: comments are never paged."""

from __future__ import annotations

import json

from tests.fakes.gitea_api import Answer, Asked
from tests.fakes.gitea_state import Json, Reply, user_id


def create_issue(asked: Asked) -> Reply:
    repository = asked.repository
    number = len(repository.issues) + len(repository.pulls) + 1
    repository.issues.append({"number": number, "title": json.loads(asked.body)["title"], "state": "open"})
    return Reply(201, repository.issues[-1])


def list_comments(asked: Asked) -> Reply:
    if not _exists(asked):
        return _nothing(asked)
    rows = [row for row in asked.repository.comments if str(row["number"]) == asked.parts[0]]
    return Reply(200, [*map(_shown, rows)], {"X-Total-Count": str(len(rows))})


def create_comment(asked: Asked) -> Reply:
    if not _exists(asked):
        return _nothing(asked)
    user = {"id": user_id(asked.user), "login": asked.user}
    row = {"id": asked.number(), "number": int(asked.parts[0]), "user": user, "body": json.loads(asked.body)["body"]}
    asked.repository.comments.append(row)
    return Reply(201, _shown(row))


def edit_comment(asked: Asked) -> Reply:
    """Whoever may write to the repository may edit anybody's."""
    for row in asked.repository.comments:
        if str(row["id"]) == asked.parts[0]:
            row["body"] = json.loads(asked.body)["body"]
            return Reply(200, _shown(row))
    return asked.problem(404, "not found", errors=[f"comment does not exist [id: {asked.parts[0]}, issue_id: 0]"])


def _exists(asked: Asked) -> bool:
    known = (*asked.repository.issues, *asked.repository.pulls)
    return asked.parts[0] in {str(row["number"]) for row in known}


def _nothing(asked: Asked) -> Reply:
    return asked.problem(500, f"issue does not exist [id: 0, repo_id: {asked.repository.id}, index: {asked.parts[0]}]")


def _shown(row: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in row.items() if name != "number"}


ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("POST", r"/issues", create_issue),
    ("GET", r"/issues/([0-9]+)/comments", list_comments),
    ("POST", r"/issues/([0-9]+)/comments", create_comment),
    ("PATCH", r"/issues/comments/([0-9]+)", edit_comment),
)
"""As `gitea_api.ROUTES`."""
