"""Pull requests of a fake Gitea: opened, looked at and merged, as Gitea 1.26.3 was seen doing it. A merge is a real one."""

from __future__ import annotations

import json
import subprocess

from tests.fakes.gitea_api import Answer, Asked
from tests.fakes.gitea_state import Json, Reply


def create(asked: Asked) -> Reply:
    form = json.loads(asked.body)
    pulls = asked.repository.pulls
    if not all(asked.repository.branch(form[end]) for end in ("head", "base")):
        return asked.problem(404, "not found", errors=None)
    if any((pull["head"], pull["state"]) == (form["head"], "open") for pull in pulls):
        return asked.problem(409, "pull request already exists for these targets")
    number = len(pulls) + 1
    pulls.append({**form, "number": number, "state": "open", "merged": False, "merge_commit_sha": None})
    return Reply(201, _shown(asked, pulls[-1]))


def show(asked: Asked) -> Reply:
    pulls = [pull for pull in asked.repository.pulls if str(pull["number"]) == asked.parts[0]]
    return Reply(200, _shown(asked, pulls[0])) if pulls else asked.problem(404, "not found", errors=None)


def merge(asked: Asked) -> Reply:
    """By a commit with two parents. The tree is the request's: nobody else pushes meanwhile."""
    pull = asked.repository.pulls[int(asked.parts[0]) - 1]
    base, head = (asked.repository.branch(pull[end]) for end in ("base", "head"))

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(asked.repository.git), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    made = git("commit-tree", "-p", base, "-p", head, "-m", f"Merge pull request '{pull['title']}'", f"{head}^{{tree}}")
    git("update-ref", f"refs/heads/{pull['base']}", made)
    pull.update(state="closed", merged=True, merge_commit_sha=made)
    return Reply(200)


def _shown(asked: Asked, pull: dict[str, Json]) -> dict[str, Json]:
    return {**pull, "html_url": f"{asked.url}/{asked.repository.name}/pulls/{pull['number']}"}


ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("POST", r"/pulls", create),
    ("GET", r"/pulls/([0-9]+)", show),
    ("POST", r"/pulls/([0-9]+)/merge", merge),
)
