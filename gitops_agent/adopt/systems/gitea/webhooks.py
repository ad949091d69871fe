"""Webhooks of one repository, named after the hosts that they ring. Gitea tells nobody their secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from gitops_agent.adopt import confidential
from gitops_agent.adopt.described import Entry
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.saying import free_name, said
from gitops_agent.gitea import Session
from gitops_agent.targets.gitea.webhooks import Webhooks

_UNTOLD = "its secret is told to nobody: if it has one, name it in webhooks.yaml, or a hook that is made anew has none"
_DEFAULTS = {"type": "gitea", "content_type": "json", "events": ["push"], "active": True}


def describe(session: Session, repository: str, left: Left) -> Iterator[Entry]:
    hooks: dict[str, Any] = {}
    for row in session.rows(f"/repos/{repository}/hooks", f"the hooks of {repository}"):
        host = urlsplit(row["config"].get("url", "")).hostname or "hook"
        hooks[free_name(f"{repository}/{host}", hooks)] = row
    for found in Webhooks(session, b"").observe({}, {f"webhook:{name}": {"id": row["id"]} for name, row in hooks.items()}):
        name = found.name.partition(":")[2]
        header = hooks[name].get("authorization_header") or ""
        value = said({**found.spec, "secret": "", "authorization_header": header}, **_DEFAULTS)
        called = repository.partition("/")[2]
        secrets = [*_of_address(called, found.spec["url"]), *([(f"{called} authorization", header)] if header else [])]
        left.add(Why.ATTENTION, f"webhook {name}", _UNTOLD)
        yield Entry.of(f"webhook {name}", "webhooks.yaml", value, key=name, secrets=tuple(secrets))


def _of_address(called: str, url: str) -> list[tuple[str, str]]:
    """Many a service knows its callers by their address alone. Where a secret in it is a plain word, all of it is one."""
    parts = urlsplit(url)
    pairs = [pair.partition("=") for pair in parts.query.split("&")]
    found = [(name, value) for name, _, value in pairs if confidential.is_secret_name(name) or confidential.is_strong(value)]
    found += [("path", part) for part in parts.path.split("/") if confidential.looks_random(part)]
    found += [("password", parts.password)] if parts.password else []
    if all(confidential.is_strong(value) for _, value in found):
        return [(f"{called} webhook {name}", value) for name, value in found]
    return [(f"{called} webhook", url)]
