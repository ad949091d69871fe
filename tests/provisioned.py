"""What is asked of Promtail, Loki and Grafana, of real ones to record it, and of the fakes that stand for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests


@dataclass(frozen=True)
class Step:
    """A request, and the files that are put there before it: content by name, None for one that is removed."""

    method: str
    path: str
    files: dict[str, str | None] = field(default_factory=dict)
    login: bool = True
    json: Any = None

    def ask(self, url: str, put: Callable[[str, str | None], None], password: str) -> requests.Response:
        for name, content in self.files.items():
            put(name, content)
        auth = ("admin", password if self.login else "wrong")
        return requests.request(self.method, f"{url}{self.path}", json=self.json, auth=auth, timeout=30)


SOURCE = (
    "apiVersion: 1\ndatasources:\n- {name: Prometheus, type: prometheus, access: proxy, uid: prom, url: 'http://prometheus:9090'}\n"
)
_DASHBOARDS = "/api/admin/provisioning/dashboards/reload"
_SOURCES = "/api/admin/provisioning/datasources/reload"
_LIST = "/api/datasources"
_SEARCH = "/api/search?type=dash-db&limit=5000"

PROMTAIL = (
    Step("GET", "/ready"),
    Step("GET", "/metrics"),
    Step("POST", "/reload"),
    Step("POST", "/reload", {"promtail.yaml": "changed"}),
    Step("POST", "/reload", {"promtail.yaml": "unusable"}),
    Step("GET", "/ready"),
    Step("POST", "/reload", {"promtail.yaml": "changed"}),
    Step("POST", "/nothing"),
)
"""The words stand for files that the stage has. Ready is not asked for after a reload: that takes Promtail a moment."""
LOKI = (Step("GET", "/ready"), Step("GET", "/metrics"), Step("POST", "/reload"))
GRAFANA = (
    Step("GET", "/api/health", login=False),
    Step("GET", "/metrics", login=False),
    Step("GET", _LIST, login=False),
    Step("POST", _DASHBOARDS, login=False),
    Step("GET", _LIST),
    Step("POST", _SOURCES, {"datasources/a.yaml": SOURCE}),
    Step("POST", _SOURCES),
    Step("GET", _LIST),
    Step("POST", _DASHBOARDS, {"dashboards/hosts.json": '{"uid": "hosts", "title": "Hosts"}'}),
    Step("GET", _SEARCH),
    Step("POST", _DASHBOARDS, {"dashboards/hosts.json": '{"uid": "hosts", "title": "All hosts"}'}),
    Step("GET", _SEARCH),
    Step("POST", _DASHBOARDS, {"dashboards/x.json": '{"uid": "a uid with blanks", "title": "X"}'}),
    Step("GET", _SEARCH),
    Step("POST", _DASHBOARDS, {"dashboards/x.json": None, "dashboards/hosts.json": None}),
    Step("GET", _SEARCH),
    Step("POST", "/api/folders", json={"uid": "mine", "title": "Mine"}),
    Step("POST", "/api/dashboards/db", json={"dashboard": {"uid": "disks", "title": "Disks"}, "folderId": 2}),
    Step(
        "POST",
        "/api/datasources",
        json={"uid": "logs", "name": "Logs", "type": "loki", "access": "proxy", "url": "http://loki:3100"},
    ),
    Step("POST", _DASHBOARDS, {"dashboards/hosts.json": '{"uid": "hosts", "title": "Hosts"}'}),
    Step("GET", _LIST),
    Step("GET", _SEARCH),
    Step("GET", "/api/dashboards/uid/disks"),
    Step("GET", "/api/dashboards/uid/hosts"),
    Step("GET", "/api/dashboards/uid/nothing"),
    Step("GET", "/api/folders?limit=5000"),
    Step("GET", "/api/v1/provisioning/alert-rules"),
    Step("POST", _SOURCES, {"datasources/a.yaml": "apiVersion: 1\ndatasources: []\n"}),
    Step("GET", _LIST),
    Step("POST", _SOURCES, {"datasources/a.yaml": "apiVersion: 1\ndatasources: [\n"}),
    Step("POST", "/api/admin/provisioning/nothing/reload"),
)
SCENES = {"promtail": PROMTAIL, "loki": LOKI, "grafana": GRAFANA}
