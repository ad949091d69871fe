"""Grafana: healthy, and each of its data sources answers it."""

from __future__ import annotations

from base64 import b64encode
from contextlib import closing
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.doctor.stack import Stack

_WANTED = ("prometheus", "loki")
_ASK = {"prometheus": "/api/v1/query?query=1", "loki": "/loki/api/v1/labels"}
"""What is asked through Grafana where it cannot say itself how a data source is: before version 9."""


def look(settings: Any, stack: Stack) -> Findings:
    password = remaining.read(settings.password_file)
    basic = b64encode(f"{settings.username}:{password}".encode()).decode()
    with closing(Api("grafana", settings.address, headers={"Authorization": f"Basic {basic}"}, timeout=5)) as api:
        health = api.call("GET", "/api/health", accept=(503,)).data
        well = health.get("database") == "ok"
        said = f"Grafana {health.get('version', '')}, database {health.get('database')}"
        yield Finding(settings.name, "healthy", well, said, "" if well else stack.logs("grafana"))
        sources = api.call("GET", "/api/datasources").data
        for source in sources:
            yield _source(api, settings.name, source)
    for kind in _WANTED:
        if kind not in {source["type"] for source in sources}:
            remedy = f"gitops-agent sync: {settings.folder}/datasources declares it"
            yield Finding(settings.name, f"data source {kind}", False, "is not there", remedy)


def _source(api: Api, system: str, source: dict[str, Any]) -> Finding:
    what = f"data source {source['name']}"
    answer = api.call("GET", f"/api/datasources/uid/{source['uid']}/health", accept=range(400, 600))
    if answer.status == 404 and source["type"] in _ASK:
        answer = api.call("GET", f"/api/datasources/proxy/{source['id']}{_ASK[source['type']]}", accept=range(400, 600))
    elif answer.status in (404, 501):
        return Finding(system, what, True, "does not tell how it is")
    if answer.status == 200:
        return Finding(system, what, True, f"answers at {source['url']}")
    told = answer.data.get("message", "") if isinstance(answer.data, dict) else ""
    said = f"does not answer Grafana at {source['url']}: {told or ' '.join(answer.text.split())[:100] or answer.status}"
    return Finding(system, what, False, said, f"its url in grafana/datasources; what is said here of {source['type']}")
