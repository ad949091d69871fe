"""What else the doctor names in systems that CI cannot install, by fakes and by answers in the shape of the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.doctor import grafana, logs, nomad, prometheus
from gitops_agent.targets.grafana import TARGET as GRAFANA
from gitops_agent.targets.nomad.settings import NomadSettings
from gitops_agent.targets.prometheus import TARGET as PROMETHEUS
from tests.doctor.conftest import Answers, bad
from tests.doctor.fake_stages import loki_settings
from tests.doctor.stage import STACK
from tests.fakes.logs import FakeLoki, FakePromtail
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.fakes.nomad_nodes import Node

Serve = Callable[[Answers], str]


@pytest.fixture
def cluster(tmp_path: Path) -> tuple[FakeNomad, NomadSettings]:
    (tmp_path / "token").write_text(MANAGEMENT)
    fake = FakeNomad()
    return fake, NomadSettings(kind="nomad", name="nomad", address=fake.url, token_file=tmp_path / "token")


def test_a_nomad_without_leader_workers_or_runtime(cluster: tuple[FakeNomad, NomadSettings]) -> None:
    with cluster[0] as fake:
        assert bad(nomad.look(cluster[1], STACK)) == {"workers": "no worker has joined: no job can run"}
        fake.nodes.joined.append(Node("worker1", "192.168.64.15", "192.168.64.15:4646", runtime=False))
        assert list(bad(nomad.look(cluster[1], STACK))) == ["containers on worker1"]
        fake.nodes.leader = ""
        assert list(bad(nomad.look(cluster[1], STACK))) == ["leader"]


def test_a_system_that_nobody_scrapes(serve: Serve) -> None:
    up = {"health": "up", "labels": {"instance": "a"}, "lastError": "", "scrapePool": "consul", "scrapeUrl": "http://vault:8200/x"}
    denied = {**up, "health": "down", "scrapePool": "nomad", "lastError": "server returned HTTP status 403 Forbidden"}
    url = serve({"GET /api/v1/targets": (200, {"data": {"activeTargets": [up, denied]}})})
    table = {"kind": "prometheus", "name": "p", "directory": "/x", "address": url}
    found = [
        finding
        for finding in prometheus.look(PROMETHEUS.Settings.model_validate(table), STACK, ["consul", "vault", "nomad", "gitea"])
        if not finding.ok
    ]
    assert [finding.what for finding in found] == ["scrape nomad", "scrape gitea"]
    assert found[0].remedy.startswith("its token is refused")
    assert found[1].said == "nobody scrapes its metrics"


def test_a_loki_that_gets_nothing() -> None:
    loki = FakeLoki()
    try:
        assert bad(logs.loki(loki_settings(loki.url), STACK)) == {"logs": "has got no line for 15 minutes"}
        FakePromtail(loki.url).read("a line")
        found = {finding.what: finding.said for finding in logs.loki(loki_settings(loki.url), STACK)}
        assert found["logs"] == "has lines of the last 15 minutes, from 1 values of `service`"
        loki.streams[0]["values"] = [["1", "of 1970"]]
        assert list(bad(logs.loki(loki_settings(loki.url), STACK))) == ["logs"]
    finally:
        loki.stop()


_PROMETHEUS = {"id": 1, "uid": "prom", "name": "Prometheus", "type": "prometheus", "url": "http://prometheus:9090"}
_LOKI = {"id": 2, "uid": "loki", "name": "Loki", "type": "loki", "url": "http://loki:3100"}
_NEWER: Answers = {
    "GET /api/datasources/uid/prom/health": (200, {"status": "OK", "message": "Successfully queried the Prometheus API."}),
    "GET /api/datasources/uid/loki/health": (400, {"status": "ERROR", "message": "dial tcp: connection refused"}),
}
_OLDER: Answers = {
    "GET /api/datasources/proxy/1/api/v1/query": (200, {"status": "success"}),
    "GET /api/datasources/proxy/2/loki/api/v1/labels": (502, ""),
}


@pytest.mark.parametrize(("answers", "why"), [(_NEWER, "dial tcp: connection refused"), (_OLDER, "502")], ids=["12", "7.5"])
def test_a_data_source_that_does_not_answer_grafana(answers: Answers, why: str, serve: Serve, tmp_path: Path) -> None:
    """Newer ones say how a data source is; before 9 it is asked through Grafana."""
    (tmp_path / "password").write_text("secret-of-grafana")
    sources: list[Any] = [_PROMETHEUS, _LOKI]
    answers = {**answers, "GET /api/health": (200, {"database": "ok"}), "GET /api/datasources": (200, sources)}
    table = {"kind": "grafana", "name": "g", "directory": "/x", "password_file": tmp_path / "password"}
    settings = GRAFANA.Settings.model_validate({**table, "address": serve(answers)})
    assert bad(grafana.look(settings, STACK)) == {"data source Loki": f"does not answer Grafana at http://loki:3100: {why}"}
    sources.remove(_LOKI)
    assert bad(grafana.look(settings, STACK)) == {"data source loki": "is not there"}
