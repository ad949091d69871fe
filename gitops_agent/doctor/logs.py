"""Loki is ready and gets logs; Promtail sends them."""

from __future__ import annotations

import re
import time
from contextlib import closing
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.doctor.stack import Stack

_RECENT = 900
"""Seconds in which a mini-cloud that logs nothing at all is one whose logs are lost."""
_WHO = ("service", "compose_service", "container", "container_name", "job")
"""Labels that tell who said something, the best first."""


def loki(settings: Any, stack: Stack) -> Findings:
    with closing(Api("loki", settings.address, timeout=5)) as api:
        ready = api.call("GET", "/ready", accept=(503,))
        if ready.status != 200:
            said = f"is not ready: {' '.join(ready.text.split())[:200]}"
            yield Finding(settings.name, "ready", False, said, f"wait 15 s after a start; {stack.logs('loki')}")
            return
        yield Finding(settings.name, "ready", True, "is ready")
        end = int(time.time()) + 60  # those of this very second, too, by a clock that is not quite this one
        span = {"start": (end - _RECENT) * 10**9, "end": end * 10**9}
        labels = api.call("GET", "/loki/api/v1/labels", params=span).data.get("data") or []
        label = next((name for name in _WHO if name in labels), "")
        streams: list[Any] = []
        if names := [label] if label else [name for name in labels if not name.startswith("__")]:
            query: dict[str, str | int] = {**span, "query": f'{{{names[0]}=~".+"}}', "limit": 1}
            streams = api.call("GET", "/loki/api/v1/query_range", params=query).data["data"]["result"]
        who = api.call("GET", f"/loki/api/v1/label/{label}/values", params=span).data.get("data") or [] if label and streams else []
    minutes = _RECENT // 60
    if streams:
        said = f"has lines of the last {minutes} minutes" + (f", from {len(who)} values of `{label}`" if who else "")
        yield Finding(settings.name, "logs", True, said)
    else:
        remedy = f"what is said here of promtail; {stack.logs('promtail')}"
        yield Finding(settings.name, "logs", False, f"has got no line for {minutes} minutes", remedy)


def promtail(settings: Any, stack: Stack) -> Findings:
    with closing(Api("promtail", settings.address, timeout=5)) as api:
        ready = api.call("GET", "/ready", accept=(500, 503))
        metrics = api.call("GET", "/metrics").text
    if ready.status != 200:
        said = f"is not ready: {' '.join(ready.text.split())[:200]}"
        yield Finding(settings.name, "ready", False, said, f"{stack.logs('promtail')}: it finds nothing to read")
    sent, read = _sum(metrics, "promtail_sent_entries_total"), _sum(metrics, "promtail_read_lines_total")
    dropped = _sum(metrics, "promtail_dropped_entries_total")
    if not sent:
        said = "has shipped no line since it started" + (f", though it has read {read:.0f}" if read else "")
        remedy = f"{stack.logs('promtail')}; `clients` in {settings.folder}/{settings.config} must lead to loki"
        yield Finding(settings.name, "ships", False, said, remedy)
    else:
        said = f"has shipped {sent:.0f} lines" + (f", and dropped {dropped:.0f}" if dropped else "")
        yield Finding(settings.name, "ships", True, said)


def _sum(metrics: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", metrics, re.MULTILINE))
