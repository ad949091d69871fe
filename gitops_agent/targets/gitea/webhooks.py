"""Webhooks of repositories: `webhooks.yaml`.

Gitea never tells a hook's secret, nor does every version tell its authorization header, and it cannot change the secret of a hook
that exists. Both are tracked by keyed digest beside the hook's id; another secret is another hook. Names are ours alone: a hook is
known by its id, and by its address while the record has no id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from gitops_agent import secret
from gitops_agent.declared import Declaration, declared
from gitops_agent.gitea import Session
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.gitea.in_repository import NAMES, Lists
from gitops_agent.targets.gitea.resource_type import Note, Notes, Resources, ResourceType, below, insist, same_names

_WRITTEN = ("secret", "authorization_header")
_UNTOLD = "(another value)"
_PULL_REQUEST = (
    "pull_request",
    "pull_request_assign",
    "pull_request_comment",
    "pull_request_label",
    "pull_request_milestone",
    "pull_request_review",
    "pull_request_review_request",
    "pull_request_sync",
)
"""What `pull_request` switches on; Gitea then answers with all of them."""
_ALIASES = {"pull_request_only": "pull_request"}


class _Webhook(Declaration):
    url: str = Field(pattern=r"^\S+$")
    type: Literal["gitea", "gogs", "discord", "dingtalk", "feishu", "msteams", "wechatwork"] = "gitea"
    content_type: Literal["json", "form"] = "json"
    secret: str = ""
    authorization_header: str = ""
    events: list[str] = Field(default=["push"], min_length=1)
    branch_filter: str = ""
    active: bool = True


class Webhooks(ResourceType):
    label: ClassVar = "webhook"
    files: ClassVar[re.Pattern[str]] = re.compile(r"webhooks(-[^/]+)?\.ya?ml")
    example: ClassVar = "webhooks.yaml"

    def __init__(self, session: Session, key: bytes) -> None:
        self._session = session
        self._key = key
        self._ids: dict[str, int] = {}

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Webhook, NAMES):
            yield Resource(f"webhook:{one.name}", one.value.model_dump(), origin=one.origin)

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        lists = Lists(self._session, "hooks")
        self._ids = {}
        known = {note["id"] for note in owned.values() if note.get("id")}
        # First those whose id is known, so that two with the same address are not taken for each other.
        for name in sorted({**desired, **owned}, key=lambda name: not owned.get(name, {}).get("id")):
            note, wanted = owned.get(name, {}), desired.get(name)
            hooks = lists.of(name)
            taken = known | set(self._ids.values())
            url = wanted.spec["url"] if wanted else None
            by_url = [hook for hook in hooks if hook["config"].get("url") == url and hook["id"] not in taken]
            hook = next((hook for hook in hooks if hook["id"] == note.get("id")), by_url[0] if by_url else None)
            if hook is not None:
                self._ids[name] = hook["id"]
                note = note if hook["id"] == note.get("id") else {}
                spec = self._spec(hook, wanted, note, trusting=name not in owned)
                yield Resource(name, spec, shown={}, version=hook["id"], owned=name in owned)

    def put(self, change: Change) -> Note:
        spec = change.resource.spec
        repository, _ = below(change.name)
        body = {field: spec[field] for field in ("events", "branch_filter", "authorization_header", "active")}
        config = {"url": spec["url"], "content_type": spec["content_type"]}
        there = self._ids.get(change.name)
        anew = change.before is None or any(change.before.spec[field] != spec[field] for field in ("secret", "type"))
        if anew:
            if there is not None:
                self.delete(change)
            body |= {"type": spec["type"], "config": {**config, "secret": spec["secret"]}}
            answer = self._session.call("POST", f"{repository}/hooks", change.name, json=body)
        else:
            answer = self._session.call("PATCH", f"{repository}/hooks/{there}", change.name, json={**body, "config": config})
        self._ids[change.name] = answer.data["id"]
        insist(change, self._spec(answer.data, change.resource, self._note(change)))
        return self._note(change)

    def adopt(self, change: Change) -> Note:
        return self._note(change)

    def delete(self, change: Change) -> None:
        repository, _ = below(change.name)
        there = self._ids.pop(change.name, None)
        if there is not None:
            self._session.call("DELETE", f"{repository}/hooks/{there}", change.name, accept=(404,))

    def _note(self, change: Change) -> Note:
        written = {field: self._digest(change.resource.spec[field]) for field in _WRITTEN}
        return {"id": self._ids[change.name], "written": written}

    def _digest(self, value: str) -> str:
        return secret.fingerprint(json.dumps(value), self._key)[:32]

    def _spec(self, hook: Mapping[str, Any], wanted: Resource | None, note: Note, *, trusting: bool = False) -> dict[str, Any]:
        """`trusting`: what cannot be read of somebody else's hook is taken to be as wanted, or it could never be adopted."""
        said = wanted.spec if wanted else {}
        spec = {
            "url": hook["config"].get("url", ""),
            "type": hook["type"],
            "content_type": hook["config"].get("content_type", ""),
            "events": _events(said.get("events", []), hook["events"]),
            "branch_filter": hook.get("branch_filter", ""),
            "active": hook["active"],
        }
        if said.get("branch_filter", "") in ("", "*") and spec["branch_filter"] in ("", "*"):
            spec["branch_filter"] = said.get("branch_filter", "")
        for field in _WRITTEN:
            value = said.get(field, "")
            known = trusting or note.get("written", {}).get(field) == self._digest(value)
            spec[field] = value if known else _UNTOLD
        return spec


def _events(wanted: list[str], live: list[str]) -> list[str]:
    """In the repository's words where both mean the same."""
    meant = {inner for event in wanted for inner in (_PULL_REQUEST if event == "pull_request" else (_ALIASES.get(event, event),))}
    return wanted if meant == {*live} else same_names(wanted, live)
