"""What the doctor names in systems that CI cannot install, by answers in the shape of the real ones; disks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.doctor import disk, gitea, grafana, logs, nomad, prometheus
from gitops_agent.settings.models import ServeSettings
from gitops_agent.targets.gitea.settings import GiteaSettings
from gitops_agent.targets.grafana import TARGET as GRAFANA
from gitops_agent.targets.loki import TARGET as LOKI
from gitops_agent.targets.nomad.settings import NomadSettings
from gitops_agent.targets.prometheus import TARGET as PROMETHEUS
from gitops_agent.targets.promtail import TARGET as PROMTAIL
from tests.doctor.conftest import Answers, bad

Serve = Callable[[Answers], str]
_NODE = {"ID": "1", "Name": "worker1", "Drain": False, "SchedulingEligibility": "eligible", "Address": "192.0.2.1"}


@pytest.mark.parametrize(("status", "wrong"), [("ready", {}), ("down", {"worker worker1": "down at 192.0.2.1"})])
def test_a_nomad_worker_that_is_gone(serve: Serve, status: str, wrong: dict[str, str]) -> None:
    url = serve({"GET /v1/status/leader": (200, '"127.0.0.1:4647"'), "GET /v1/nodes": (200, [{**_NODE, "Status": status}])})
    assert bad(nomad.look(NomadSettings(kind="nomad", name="nomad", address=url))) == wrong


def test_a_scrape_target_that_is_down(serve: Serve) -> None:
    up = {"health": "up", "labels": {"instance": "a"}, "lastError": "", "scrapePool": "consul", "scrapeUrl": "http://a"}
    down = {**up, "health": "down", "scrapePool": "gitea", "lastError": "connection refused"}
    answers: Answers = {"GET /api/v1/targets": (200, {"data": {"activeTargets": [up]}})}
    settings = PROMETHEUS.Settings.model_validate({"kind": "prometheus", "name": "p", "directory": "/x", "address": serve(answers)})
    assert bad(prometheus.look(settings)) == {}
    answers["GET /api/v1/targets"] = 200, {"data": {"activeTargets": [up, down]}}
    assert bad(prometheus.look(settings)) == {"scrape gitea": "a is down: connection refused"}


def test_loki_not_ready_and_without_logs(serve: Serve) -> None:
    answers: Answers = {"GET /ready": (503, "Ingester not ready")}
    settings = LOKI.Settings.model_validate(
        {"kind": "loki", "name": "l", "directory": "/x", "address": serve(answers), "reload": ["true"]}
    )
    assert bad(logs.loki(settings)) == {"ready": "is not ready: Ingester not ready"}
    answers["GET /ready"] = 200, "ready"
    answers["GET /loki/api/v1/labels"] = 200, {"status": "success"}
    assert bad(logs.loki(settings)) == {"logs": "has got no line for 15 minutes"}
    answers["GET /loki/api/v1/labels"] = 200, {"data": ["job"]}
    answers["GET /loki/api/v1/query_range"] = 200, {"data": {"result": [{"values": [["1", "x"]]}]}}
    assert bad(logs.loki(settings)) == {}


def test_promtail_that_ships_nothing(serve: Serve) -> None:
    answers: Answers = {"GET /ready": (200, "Ready"), "GET /metrics": (200, 'promtail_sent_entries_total{host="l"} 0\n')}
    settings = PROMTAIL.Settings.model_validate(
        {"kind": "promtail", "name": "p", "directory": "/x", "address": serve(answers), "reload": ["true"]}
    )
    assert bad(logs.promtail(settings)) == {"ships": "has shipped no line since it started"}
    answers["GET /metrics"] = 200, 'promtail_sent_entries_total{host="l"} 7\n'
    assert bad(logs.promtail(settings)) == {}


def test_grafana_without_data_sources(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret-of-grafana")
    url = serve({"GET /api/health": (200, {"database": "ok"}), "GET /api/datasources": (200, [])})
    table = {"kind": "grafana", "name": "g", "directory": "/x", "address": url, "password_file": tmp_path / "password"}
    assert bad(grafana.look(GRAFANA.Settings.model_validate(table))) == {"data sources": "has none"}


def test_a_bot_token_that_was_revoked(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a-token-of-the-bot")
    url = serve({"GET /api/v1/user": (401, {"message": "invalid username, password or token"})})
    settings = GiteaSettings(kind="gitea", name="gitea", address=url, token_file=tmp_path / "token", source="a/b")
    assert "gitea refuses the token" in bad(gitea.look(settings, ServeSettings()))["bot token"]


def test_a_webhook_that_allowed_hosts_block(serve: Serve) -> None:
    """Failure mode 4: the test delivery is accepted, and the agent never sees it."""
    agent: Answers = {"GET /metrics": (200, "gitops_agent_outbox_statuses 0\n")}
    serving = ServeSettings(listen=serve(agent).removeprefix("http://"))
    hook = {"id": 1, "active": True}
    url = serve(
        {
            "GET /api/v1/user": (200, {"login": "bot"}),
            "GET /api/v1/repos/a/b/hooks": (200, [hook]),
            "POST /api/v1/repos/a/b/hooks/1/tests": (204, ""),
        }
    )
    settings = GiteaSettings(kind="gitea", name="gitea", address=url, source="a/b")
    wrong = [finding for finding in gitea.look(settings, serving) if not finding.ok]
    assert [finding.what for finding in wrong] == ["webhook"]
    assert "ALLOWED_HOST_LIST" in wrong[0].remedy
    agent["GET /metrics"] = 200, 'gitops_agent_webhook_requests_total{answer="202"} 1.0\n'
    assert bad(gitea.look(settings, serving)) == {}


def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    """Failure mode 68."""
    assert bad(disk.look([tmp_path], full=1.1)) == {}
    assert list(bad(disk.look([tmp_path, tmp_path / "later"], full=0))) == [str(tmp_path)]
