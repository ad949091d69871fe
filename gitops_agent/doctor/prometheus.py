"""Prometheus: every target that it scrapes is up."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor.finding import Finding, Findings


def look(settings: Any) -> Findings:
    with closing(Api("prometheus", settings.address, timeout=5)) as api:
        active = api.call("GET", "/api/v1/targets", params={"state": "active"}).data["data"]["activeTargets"]
    down = [target for target in active if target["health"] == "down"]
    for target in down:
        remedy = f"curl -v {target['scrapeUrl']} from the network of the stack; the token or the address is in prometheus/"
        said = f"{target['labels'].get('instance', '')} is down: {target['lastError']}"
        yield Finding(settings.name, f"scrape {target['scrapePool']}", False, said, remedy)
    if not active:
        yield Finding(settings.name, "scrapes", False, "scrapes nothing", "gitops-agent sync")
    elif not down:
        yield Finding(settings.name, "scrapes", True, f"all {len(active)} targets are up or not asked yet")
