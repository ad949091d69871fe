"""Loki is ready and gets logs; Promtail sends them."""

from __future__ import annotations

import re
import time
from contextlib import closing
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor.finding import Finding, Findings

_RECENT = 900
"""Seconds in which a mini-cloud that logs nothing at all is one whose logs are lost."""


def loki(settings: Any) -> Findings:
    with closing(Api("loki", settings.address, timeout=5)) as api:
        ready = api.call("GET", "/ready", accept=(503,))
        if ready.status != 200:
            said = f"is not ready: {' '.join(ready.text.split())[:200]}"
            yield Finding(settings.name, "ready", False, said, "docker logs of loki; it takes about 15 s after a start")
            return
        yield Finding(settings.name, "ready", True, "is ready")
        now = int(time.time())
        span = {"start": (now - _RECENT) * 10**9, "end": now * 10**9}
        labels = api.call("GET", "/loki/api/v1/labels", params=span).data.get("data") or []
        streams: list[Any] = []
        if names := [label for label in labels if not label.startswith("__")]:
            query: dict[str, str | int] = {**span, "query": f'{{{names[0]}=~".+"}}', "limit": 1}
            streams = api.call("GET", "/loki/api/v1/query_range", params=query).data["data"]["result"]
        minutes = _RECENT // 60
        said = f"has lines of the last {minutes} minutes" if streams else f"has got no line for {minutes} minutes"
        yield Finding(
            settings.name, "logs", bool(streams), said, "" if streams else "look at what is said of promtail; docker logs"
        )


def promtail(settings: Any) -> Findings:
    with closing(Api("promtail", settings.address, timeout=5)) as api:
        ready = api.call("GET", "/ready", accept=(500, 503))
        metrics = api.call("GET", "/metrics").text
    if ready.status != 200:
        said = f"is not ready: {' '.join(ready.text.split())[:200]}"
        yield Finding(settings.name, "ready", False, said, "docker logs of promtail: it finds nothing to read")
    sent = _sum(metrics, "promtail_sent_entries_total")
    dropped = _sum(metrics, "promtail_dropped_entries_total")
    if not sent:
        said = "has shipped no line since it started"
        yield Finding(settings.name, "ships", False, said, "docker logs of promtail; its `clients` must lead to loki")
    else:
        said = f"has shipped {sent:.0f} lines" + (f", and dropped {dropped:.0f}" if dropped else "")
        yield Finding(settings.name, "ships", True, said)


def _sum(metrics: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", metrics, re.MULTILINE))
