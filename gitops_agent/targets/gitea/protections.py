"""Branch protections: `branch-protections.yaml`, with Gitea's own names for everything. What is not said is off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from gitops_agent.declared import Declaration, declared
from gitops_agent.gitea import Session
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.gitea.in_repository import NAMES, Lists
from gitops_agent.targets.gitea.resource_type import (
    Note,
    Notes,
    Resources,
    ResourceType,
    below,
    escaped,
    insist,
    same_names,
)

_NEEDS = {
    "enable_push_whitelist": "enable_push",
    "push_whitelist_deploy_keys": "enable_push_whitelist",
    "enable_force_push": "enable_push",
    "enable_force_push_allowlist": "enable_force_push",
    "force_push_allowlist_deploy_keys": "enable_force_push_allowlist",
    "push_whitelist_usernames": "enable_push_whitelist",
    "push_whitelist_teams": "enable_push_whitelist",
    "force_push_allowlist_usernames": "enable_force_push_allowlist",
    "force_push_allowlist_teams": "enable_force_push_allowlist",
    "merge_whitelist_usernames": "enable_merge_whitelist",
    "merge_whitelist_teams": "enable_merge_whitelist",
    "status_check_contexts": "enable_status_check",
    "approvals_whitelist_username": "enable_approvals_whitelist",
    "approvals_whitelist_teams": "enable_approvals_whitelist",
}
"""What Gitea drops, or keeps without effect, unless the other is on."""


class _Protection(Declaration):
    enable_push: bool = False
    enable_push_whitelist: bool = False
    push_whitelist_usernames: list[str] = Field(default_factory=list)
    push_whitelist_teams: list[str] = Field(default_factory=list)
    push_whitelist_deploy_keys: bool = False
    enable_force_push: bool = False
    enable_force_push_allowlist: bool = False
    force_push_allowlist_usernames: list[str] = Field(default_factory=list)
    force_push_allowlist_teams: list[str] = Field(default_factory=list)
    force_push_allowlist_deploy_keys: bool = False
    enable_merge_whitelist: bool = False
    merge_whitelist_usernames: list[str] = Field(default_factory=list)
    merge_whitelist_teams: list[str] = Field(default_factory=list)
    enable_status_check: bool = False
    status_check_contexts: list[str] = Field(default_factory=list)
    required_approvals: int = Field(default=0, ge=0)
    enable_approvals_whitelist: bool = False
    approvals_whitelist_username: list[str] = Field(default_factory=list)
    approvals_whitelist_teams: list[str] = Field(default_factory=list)
    block_on_rejected_reviews: bool = False
    block_on_official_review_requests: bool = False
    block_on_outdated_branch: bool = False
    dismiss_stale_approvals: bool = False
    ignore_stale_approvals: bool = False
    require_signed_commits: bool = False
    protected_file_patterns: str = ""
    unprotected_file_patterns: str = ""
    block_admin_merge_override: bool = False

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> _Protection:
        for field, needed in _NEEDS.items():
            if getattr(self, field) and not getattr(self, needed):
                raise ValueError(f"{field} takes {needed}: true")
        return self


class Protections(ResourceType):
    label: ClassVar = "protection"
    files: ClassVar[re.Pattern[str]] = re.compile(r"branch-protections(-[^/]+)?\.ya?ml")
    example: ClassVar = "branch-protections.yaml"

    def __init__(self, session: Session) -> None:
        self._session = session

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Protection, NAMES):
            yield Resource(f"protection:{one.name}", one.value.model_dump(), origin=one.origin)

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        lists = Lists(self._session, "branch_protections")
        for name in {**desired, **owned}:
            _, rule = below(name)
            found = next((row for row in lists.of(name) if row["rule_name"] == rule), None)
            if found is not None:
                spec = _spec(found, desired.get(name))
                yield Resource(name, spec, version=found["updated_at"], owned=name in owned)

    def put(self, change: Change) -> Note:
        repository, rule = below(change.name)
        spec = dict(change.resource.spec)
        if change.before is None:
            form = {**spec, "rule_name": rule}
            answer = self._session.call("POST", f"{repository}/branch_protections", change.name, json=form)
        else:
            answer = self._session.call("PATCH", f"{repository}/branch_protections/{escaped(rule)}", change.name, json=spec)
        insist(change, _spec(answer.data, change.resource))
        return {}

    def delete(self, change: Change) -> None:
        repository, rule = below(change.name)
        self._session.call("DELETE", f"{repository}/branch_protections/{escaped(rule)}", change.name, accept=(404,))


def _spec(found: Mapping[str, Any], wanted: Resource | None) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    for field, known in _Protection.model_fields.items():
        said = wanted.spec[field] if wanted else known.get_default(call_default_factory=True)
        live = found.get(field)
        if isinstance(said, list):
            spec[field] = same_names(said, live or [])
        else:
            spec[field] = live if live is not None else known.default
    return spec
