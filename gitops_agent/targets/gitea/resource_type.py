"""What the modules of this package have in common: each looks after one type of resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from gitops_agent.errors import ApplyFailed
from gitops_agent.model import Change, Resource
from gitops_agent.system_target import NotedType

Resources: TypeAlias = Mapping[str, Resource]
Note: TypeAlias = Mapping[str, Any]
"""What is remembered of one resource, as plain JSON: an `id`, keyed digests of what was `written` and cannot be read, the optional
fields that were `said`."""
Notes: TypeAlias = Mapping[str, Note]
ResourceType: TypeAlias = NotedType[Note]


def insist(change: Change, made: Mapping[str, Any]) -> None:
    """Raises ApplyFailed where Gitea took a change and dropped a part of it without a word, as it does with users that have no
    right to a repository, and with branches that do not exist."""
    wanted = change.resource.spec
    dropped = [field for field in wanted if made.get(field) != wanted[field]]
    if dropped:
        raise ApplyFailed(f"gitea took {change.name}, but not as declared: {', '.join(dropped)}")


def below(name: str) -> tuple[str, str]:
    """`webhook:acme/shop/agent` → the path of its repository in the API, and the last part of its name."""
    owner, repository, rest = name.partition(":")[2].split("/", 2)
    return f"/repos/{owner}/{repository}", rest


def escaped(name: str) -> str:
    return quote(name, safe="")


def same_names(wanted: list[str], live: list[str]) -> list[str]:
    """The wanted list where both hold the same names in whatever order and case, the sorted live one otherwise."""
    return wanted if sorted(map(str.lower, wanted)) == sorted(map(str.lower, live)) else sorted(live)
