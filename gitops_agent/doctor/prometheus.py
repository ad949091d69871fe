"""Prometheus: every target that it scrapes is up, and each system is among them."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.doctor.stack import Stack


def look(settings: Any, stack: Stack, systems: Collection[str]) -> Findings:
    """`systems` are those whose metrics are wanted: a scrape job, or a scraped address, has the name in it."""
    with closing(Api("prometheus", settings.address, timeout=5)) as api:
        active = api.call("GET", "/api/v1/targets", params={"state": "active"}).data["data"]["activeTargets"]
    down = [target for target in active if target["health"] == "down"]
    for target in down:
        said = f"{target['labels'].get('instance', '')} is down: {target['lastError']}"
        yield Finding(settings.name, f"scrape {target['scrapePool']}", False, said, _remedy(target, stack))
    scraped = " ".join(f"{target['scrapePool']} {target['scrapeUrl']}" for target in active)
    for system in systems:
        if system not in scraped:
            remedy = f"add a job to {settings.folder}/{settings.config}"
            yield Finding(settings.name, f"scrape {system}", False, "nobody scrapes its metrics", remedy)
    if not active:
        yield Finding(settings.name, "scrapes", False, "scrapes nothing", f"{stack.logs('prometheus')}; gitops-agent sync")
    elif not down:
        waiting = sum(target["health"] != "up" for target in active)
        said = f"{len(active) - waiting} targets are up" + (f", {waiting} have not been asked yet" if waiting else "")
        yield Finding(settings.name, "scrapes", True, said)


def _remedy(target: dict[str, Any], stack: Stack) -> str:
    error = target["lastError"]
    if "401" in error or "403" in error:
        return f"its token is refused: gitops-agent sync; what is said here of the tokens of {target['scrapePool']}"
    return stack.inside("prometheus", f"wget -q -O - '{target['scrapeUrl']}'")
