"""What is in a repository of the fake Gitea, beside its commits: settings, topics, deploy keys, protections and files."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.fakes import gitea_api
from tests.fakes.gitea_api import Answer, Asked
from tests.fakes.gitea_state import Json, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME = "2026-01-01T00:00:00Z"
_LISTS = ("push_whitelist", "force_push_allowlist", "merge_whitelist", "approvals_whitelist")
_PROTECTION: Mapping[str, Json] = {
    **{f"{name}_teams": [] for name in _LISTS},
    **{f"{name}_usernames": [] for name in _LISTS[:3]},
    "approvals_whitelist_username": [],
    **dict.fromkeys(
        (
            "enable_push",
            "enable_push_whitelist",
            "push_whitelist_deploy_keys",
            "enable_force_push",
            "enable_merge_whitelist",
            "enable_force_push_allowlist",
            "force_push_allowlist_deploy_keys",
            "enable_status_check",
            "enable_approvals_whitelist",
            "block_on_rejected_reviews",
            "block_on_official_review_requests",
            "block_on_outdated_branch",
            "dismiss_stale_approvals",
            "ignore_stale_approvals",
            "require_signed_commits",
            "block_admin_merge_override",
        ),
        False,
    ),
    "status_check_contexts": None,
    "required_approvals": 0,
    "protected_file_patterns": "",
    "unprotected_file_patterns": "",
    "created_at": _TIME,
    "updated_at": _TIME,
}


def edit(asked: Asked) -> Reply:
    """A branch that does not exist is passed over without a word, unless the repository is empty."""
    form = json.loads(asked.body)
    if asked.repository.files and form.get("default_branch", "main") != "main":
        del form["default_branch"]
    asked.repository.settings["updated_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(asked.number()))
    asked.repository.private = form.pop("private", asked.repository.private)
    known = {"default_branch", *gitea_api.DEFAULTS}
    asked.repository.settings |= {name: value for name, value in form.items() if name in known}
    return gitea_api.repository(asked)


def branch(asked: Asked) -> Reply:
    name = unquote(asked.parts[0])
    sha = asked.repository.branch(name)
    return Reply(200, {"name": name, "commit": {"id": sha}}) if sha else asked.problem(404, "not found", errors=None)


def put_topics(asked: Asked) -> Reply:
    topics = [topic.lower() for topic in json.loads(asked.body)["topics"]]
    invalid = [topic for topic in topics if " " in topic]
    if invalid:
        return Reply(422, {"invalidTopics": invalid, "message": "Topic names are invalid"})
    asked.repository.settings["topics"] = sorted(topics)
    return Reply(204)


def list_keys(asked: Asked) -> Reply:
    page, headers = asked.page(asked.repository.keys)
    return Reply(200, page, headers)


def create_key(asked: Asked) -> Reply:
    form, keys = json.loads(asked.body), asked.repository.keys
    if len(form["key"].split()[1]) < 20:
        return asked.problem(422, "Invalid key content: extractTypeFromBase64Key: invalid key format: %!w(<nil>)")
    if any(form["key"].split()[:2] == key["key"].split()[:2] for key in keys):
        return asked.problem(422, "This key has already been added to this repository")
    if any(form["title"] == key["title"] for key in keys):
        return asked.problem(422, "Key title has been used")
    number = asked.number()
    keys.append({"id": number, "key_id": number, **form, "created_at": _TIME})
    return Reply(201, keys[-1])


def delete_key(asked: Asked) -> Reply:
    """Gitea does not mind when there is none."""
    asked.repository.keys[:] = [key for key in asked.repository.keys if str(key["id"]) != asked.parts[0]]
    return Reply(204)


def list_protections(asked: Asked) -> Reply:
    return Reply(200, [*asked.repository.protections.values()])


def create_protection(asked: Asked) -> Reply:
    form = json.loads(asked.body)
    if form["rule_name"] in asked.repository.protections:
        return asked.problem(403, "Branch protection already exist")
    return _protect(asked, 201, {**_PROTECTION, "branch_name": "", "priority": 1}, form)


def edit_protection(asked: Asked) -> Reply:
    rule = unquote(asked.parts[0])
    found = asked.repository.protections.get(rule)
    if found is None:
        return asked.problem(404, "not found", errors=None)
    return _protect(asked, 200, found, {**json.loads(asked.body), "rule_name": rule})


def _protect(asked: Asked, status: int, there: Mapping[str, Json], form: Mapping[str, Json]) -> Reply:
    """Users without a right to the repository are left out without a word; users that nobody is are refused."""
    rule = {**there, **form}
    for name in (name for name in form if "_username" in name):
        unknown = [user for user in form[name] if user not in asked.users]
        if unknown:
            return asked.problem(422, f"user does not exist [uid: 0, name: {unknown[0]}]")
        rule[name] = [user for user in form[name] if user in asked.writers]
    rule["enable_push_whitelist"] = rule["enable_push"] and rule["enable_push_whitelist"]
    asked.repository.protections[rule["rule_name"]] = rule
    return Reply(status, rule)


def delete_protection(asked: Asked) -> Reply:
    if asked.repository.protections.pop(unquote(asked.parts[0]), None) is None:
        return asked.problem(404, "not found", errors=None)
    return Reply(204)


def read_file(asked: Asked) -> Reply:
    path = unquote(asked.parts[0])
    if path not in asked.repository.files:
        return asked.problem(404, "not found", errors=None)
    return Reply(200, _file(path, asked.repository.files[path]))


def create_file(asked: Asked) -> Reply:
    path = unquote(asked.parts[0])
    if path in asked.repository.files:
        return asked.problem(422, f"repository file already exists [path: {path}]")
    return _store(asked, path, 201)


def replace_file(asked: Asked) -> Reply:
    """The hash of the version that is to be replaced is what makes it compare-and-set."""
    path, given = unquote(asked.parts[0]), json.loads(asked.body).get("sha", "")
    there = _hash(asked.repository.files.get(path, b""))
    if given != there:
        return asked.problem(422, f"sha does not match [given: {given}, expected: {there}]")
    return _store(asked, path, 200)


def _store(asked: Asked, path: str, status: int) -> Reply:
    asked.repository.files[path] = base64.b64decode(json.loads(asked.body)["content"])
    return Reply(status, {"content": _file(path, asked.repository.files[path])})


def _file(path: str, content: bytes) -> dict[str, Json]:
    text = base64.b64encode(content).decode()
    return {"name": path.rpartition("/")[2], "path": path, "sha": _hash(content), "encoding": "base64", "content": text}


def _hash(content: bytes) -> str:
    """As git has it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("PATCH", r"", edit),
    ("GET", r"/branches/([^/]+)", branch),
    ("PUT", r"/topics", put_topics),
    ("GET", r"/keys", list_keys),
    ("POST", r"/keys", create_key),
    ("DELETE", r"/keys/([0-9]+)", delete_key),
    ("GET", r"/branch_protections", list_protections),
    ("POST", r"/branch_protections", create_protection),
    ("PATCH", r"/branch_protections/([^/]+)", edit_protection),
    ("DELETE", r"/branch_protections/([^/]+)", delete_protection),
    ("GET", r"/contents/(.+)", read_file),
    ("POST", r"/contents/(.+)", create_file),
    ("PUT", r"/contents/(.+)", replace_file),
)
"""As `gitea_api.ROUTES`."""
