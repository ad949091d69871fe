"""Pull requests of a fake Gitea: opened, listed, changed and merged, as Gitea 1.26.3 was seen doing it. Merges are real."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.fakes.gitea_api import Answer, Asked
from tests.fakes.gitea_state import Json, Reply


def create(asked: Asked) -> Reply:
    form = json.loads(asked.body)
    pulls = asked.repository.pulls
    if not asked.repository.branch(form["base"]) or not _head(asked, form):
        return asked.problem(404, "not found", errors=None)
    if any((pull["head"], pull["state"]) == (form["head"], "open") for pull in pulls):
        return asked.problem(409, "pull request already exists for these targets")
    number = len(pulls) + len(asked.repository.issues) + 1
    pulls.append({**form, "number": number, "state": "open", "merged": False, "merge_commit_sha": None, "updated": asked.number()})
    return Reply(201, _shown(asked, pulls[-1]))


def show(asked: Asked) -> Reply:
    pulls = [pull for pull in asked.repository.pulls if str(pull["number"]) == asked.parts[0]]
    return Reply(200, _shown(asked, pulls[0])) if pulls else asked.problem(404, "not found", errors=None)


def listed(asked: Asked) -> Reply:
    wanted = {"state": asked.query.get("state", "open"), "base": asked.query.get("base_branch", "")}
    pulls = [pull for pull in asked.repository.pulls if all(value in ("", pull[name]) for name, value in wanted.items())]
    rows, headers = asked.page([_shown(asked, pull) for pull in sorted(pulls, key=lambda pull: -int(pull["updated"]))])
    return Reply(200, rows, headers)


def edit(asked: Asked) -> Reply:
    pull = asked.repository.pulls[int(asked.parts[0]) - 1]
    pull.update(json.loads(asked.body), updated=asked.number())
    return Reply(201, _shown(asked, pull))


def merge(asked: Asked) -> Reply:
    """By a commit with two parents."""
    pull = asked.repository.pulls[int(asked.parts[0]) - 1]
    base, head = asked.repository.branch(pull["base"]), _head(asked, pull)
    tree = _git(asked, "merge-tree", "--write-tree", base, head)
    made = _git(asked, "commit-tree", "-p", base, "-p", head, "-m", f"Merge pull request '{pull['title']}'", tree)
    _git(asked, "update-ref", f"refs/heads/{pull['base']}", made)
    pull.update(state="closed", merged=True, merge_commit_sha=made)
    return Reply(200)


def _head(asked: Asked, pull: dict[str, Json]) -> str:
    """Where the branch is that is to be merged; of a fork it is named `user:branch`."""
    user, _, branch = pull["head"].rpartition(":")
    if not user:
        return asked.repository.branch(branch)
    fork: Path | None = asked.repository.forks.get(user)
    return "" if fork is None else _git(asked, "-C", str(fork), "rev-parse", "--verify", f"refs/heads/{branch}")


def _shown(asked: Asked, pull: dict[str, Json]) -> dict[str, Json]:
    """While it is open, `refs/pull/N/head` follows the branch."""
    head = _head(asked, pull)
    user, _, branch = pull["head"].rpartition(":")
    if pull["state"] == "open":
        source = str(asked.repository.forks[user]) if user else "."
        _git(asked, "fetch", "--quiet", source, f"+refs/heads/{branch}:refs/pull/{pull['number']}/head")
    label = branch if not user else pull["head"]
    return {
        "number": pull["number"],
        "title": pull.get("title", ""),
        "state": pull["state"],
        "merged": pull["merged"],
        "merge_commit_sha": pull["merge_commit_sha"],
        "html_url": f"{asked.url}/{asked.repository.name}/pulls/{pull['number']}",
        "head": {"label": label, "ref": branch, "sha": head},
        "base": {"label": pull["base"], "ref": pull["base"], "sha": asked.repository.branch(pull["base"])},
    }


def _git(asked: Asked, *arguments: str) -> str:
    command = ["git", "-C", str(asked.repository.git), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("GET", r"/pulls", listed),
    ("POST", r"/pulls", create),
    ("GET", r"/pulls/([0-9]+)", show),
    ("PATCH", r"/pulls/([0-9]+)", edit),
    ("POST", r"/pulls/([0-9]+)/merge", merge),
)
