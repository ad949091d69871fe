"""Grafana: healthy, and it has its data sources."""

from __future__ import annotations

from base64 import b64encode
from contextlib import closing
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings


def look(settings: Any) -> Findings:
    password = remaining.read(settings.password_file)
    basic = b64encode(f"{settings.username}:{password}".encode()).decode()
    with closing(Api("grafana", settings.address, headers={"Authorization": f"Basic {basic}"}, timeout=5)) as api:
        health = api.call("GET", "/api/health", accept=(503,)).data
        well = health.get("database") == "ok"
        said = f"database {health.get('database')}"
        yield Finding(settings.name, "healthy", well, said, "" if well else "docker logs of grafana; is its volume full?")
        sources = api.call("GET", "/api/datasources").data
        names = ", ".join(source["name"] for source in sources) or "has none"
        yield Finding(settings.name, "data sources", bool(sources), names, "" if sources else "gitops-agent sync")
