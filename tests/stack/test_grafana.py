"""The dashboards of the stack: one for every service, and no query for a metric that no server has."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import yaml

from gitops_agent import metrics
from gitops_agent.model import Files
from gitops_agent.targets.grafana.declared import declared
from tests.stack import rendered

SERVICES = {
    *("nginx", "consul-template", "consul", "vault", "nomad-server", "postgres", "gitea", "concourse-web", "concourse-worker"),
    *("pgadmin", "prometheus", "grafana", "loki", "promtail", "gitops-agent"),
}
"""Those of the document, and the agent."""
RECORDED = Path(__file__).parents[1] / "recorded/metrics"
_NAME = re.compile(r"\b(?:consul|vault|nomad|gitea|concourse|prometheus|grafana|loki|promtail|gitops_agent|process|http)_\w+")
_BY_PROMETHEUS = {"ALERTS", "up", "scrape_duration_seconds"}
_AT_FIRST_TROUBLE = {"promtail_dropped_entries_total", "loki_discarded_samples_total", "promtail_read_lines_total"}
"""Told only once it happened, or with `promtail: {read: files}`; in the queries, something else stands in until then."""
_LATER_VERSIONS = {"grafana_http_request_in_flight"}


class Query(NamedTuple):
    dashboard: str
    panel: str
    source: str
    text: str


@pytest.fixture(scope="module")
def files() -> Files:
    return rendered.folder("grafana")


@pytest.fixture(scope="module")
def queries(files: Files) -> list[Query]:
    return list(_queries(files))


def _queries(files: Files) -> Iterator[Query]:
    for path, content in files.items():
        if path.endswith(".json"):
            dashboard: dict[str, Any] = json.loads(content)
            for panel in dashboard["panels"]:
                for target in panel["targets"]:
                    yield Query(dashboard["uid"], panel["title"], target["datasource"]["uid"], target["expr"])


def test_every_service_has_a_dashboard_under_its_name(files: Files) -> None:
    found = declared(files)
    assert {*found.dashboards} == SERVICES | {"mini-cloud"}
    assert found.sources == {"prometheus": "Prometheus", "loki": "Loki"}
    assert all(path == f"dashboards/{json.loads(files[path])['uid']}.json" for path in files if path.endswith(".json"))


def test_every_service_shows_what_it_says(queries: list[Query]) -> None:
    shown = {query.dashboard for query in queries if query.text == f'{{service="{query.dashboard}"}}'}
    assert shown == SERVICES


def test_panels_do_not_overlap(files: Files) -> None:
    for path, content in files.items():
        if path.endswith(".json"):
            taken: set[tuple[int, int]] = set()
            for place in (panel["gridPos"] for panel in json.loads(content)["panels"]):
                cells = {
                    (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
                }
                assert not cells & taken, path
                assert place["x"] + place["w"] <= 24, path
                taken |= cells


def test_every_metric_is_one_that_a_real_server_tells(queries: list[Query]) -> None:
    """In dashboards and in alerts. The names were recorded from the versions that stand in the files' names."""
    known = {name for file in RECORDED.glob("*.txt") for name in file.read_text().splitlines()[1:]}
    known |= {line.split("{")[0].split(" ")[0] for line in metrics.text().splitlines()}
    known |= {f"{family.name}{suffix}" for family in metrics.registry.collect() for suffix in _suffixes(family.type)}
    texts = [query.text for query in queries if query.source == "prometheus"]
    for path, content in rendered.folder("prometheus").items():
        if path.startswith("rules/"):
            texts += [rule["expr"] for group in yaml.safe_load(content)["groups"] for rule in group["rules"]]
    used = {name for text in texts for name in _NAME.findall(re.sub(r'"[^"]*"', '""', text))}
    assert used - known - _BY_PROMETHEUS - _AT_FIRST_TROUBLE - _LATER_VERSIONS == set()
    assert len(used) > 100


def _suffixes(kind: str) -> tuple[str, ...]:
    return {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))


@pytest.mark.live
@pytest.mark.skipif("PROMETHEUS_LIVE" not in os.environ, reason="PROMETHEUS_LIVE and LOKI_LIVE name no servers of a running stack")
def test_every_query_is_answered_with_data(queries: list[Query]) -> None:
    """By the Prometheus and the Loki of a whole stack that has run for some minutes: addresses in PROMETHEUS_LIVE, LOKI_LIVE."""
    now, empty = time.time(), []
    for query in queries:
        text = query.text.replace("$__rate_interval", "1m").replace("$__interval", "1m")
        if query.source == "prometheus":
            address = f"{os.environ['PROMETHEUS_LIVE']}/api/v1/query_range"
            unit = 1.0
        else:
            address = f"{os.environ['LOKI_LIVE']}/loki/api/v1/query_range"
            unit = 1e9  # Loki's times are nanoseconds
        period: dict[str, str | int] = {"query": text, "start": int((now - 300) * unit), "end": int(now * unit), "step": 15}
        answer = requests.get(address, params=period, timeout=30)
        assert answer.ok, f"{query}: {answer.text}"
        if not answer.json()["data"]["result"]:
            empty.append(query)
    assert not empty
