"""What lies in Grafana's database only is told by name; what files make is theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gitops_agent.adopt import landscape, systems
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.reaching import Reaching
from tests.adopt.test_tables import inspected
from tests.canary import Canary
from tests.fakes.grafana import Grafana

_WHY = "lies in Grafana's database only: no file makes it"
_SOURCES = """\
apiVersion: 1
datasources:
  - {name: Prometheus, type: prometheus, uid: prom, url: 'http://prometheus:9090'}
  - {name: Logs, type: loki, uid: logs, url: 'http://loki:3100', editable: true}
"""


@pytest.fixture
def provisioning(tmp_path: Path) -> Path:
    place = tmp_path / "grafana/provisioning"
    for path, text in {
        "datasources/all.yml": _SOURCES,
        "datasources/none.yaml": "apiVersion: 1\ndatasources: []\n",
        "dashboards/hosts.json": json.dumps({"uid": "hosts", "title": "Hosts"}),
    }.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    return place


@pytest.fixture
def grafana(provisioning: Path, free_port: Callable[[], int]) -> Iterator[Grafana]:
    grafana = Grafana(free_port(), provisioning)
    yield grafana
    grafana.stop()


def look(grafana: Grafana, directory: Path, password: str) -> Left:
    left = Left()
    scene = landscape.look([inspected(directory, "grafana", "grafana/provisioning:/etc/grafana/provisioning:ro")], "")
    (directory / "password").write_text(f"{password}\n")
    credentials = {"grafana": directory / "password"} if password else {}
    assert [*systems.describe(scene, Reaching({"grafana": grafana.url}, left), credentials, {}, "shop", left)] == []
    return left


def by_hand(grafana: Grafana, path: str, body: dict[str, Any]) -> Any:
    answer = requests.post(f"{grafana.url}{path}", json=body, auth=("admin", "right"), timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_no_file_makes_is_told_by_name(grafana: Grafana, tmp_path: Path) -> None:
    assert look(grafana, tmp_path, "right").found == {}, "all of it is a file's"
    folder = by_hand(grafana, "/api/folders", {"uid": "mine", "title": "Mine"})
    by_hand(grafana, "/api/dashboards/db", {"dashboard": {"uid": "disks", "title": "Disks"}, "folderId": folder["id"]})
    by_hand(grafana, "/api/dashboards/db", {"dashboard": {"uid": "tests", "title": "Tests"}})
    by_hand(grafana, "/api/datasources", {"uid": "shop", "name": "Shop", "type": "postgres", "access": "proxy"})
    told = ("data source Shop", "dashboard Mine/Disks", "dashboard Tests", "folder Mine")
    assert look(grafana, tmp_path, "right").found == {Why.SYSTEM: dict.fromkeys(told, _WHY)}


def test_alert_rules_tell_where_they_come_from(grafana: Grafana, tmp_path: Path) -> None:
    """As Grafana documents them since 9.1."""
    grafana.folders = {"alerts": "Alerts", "mine": "Mine"}
    grafana.rules = [
        {"uid": "a", "title": "Down", "ruleGroup": "hosts", "folderUID": "alerts", "provenance": "file"},
        {"uid": "b", "title": "Full", "ruleGroup": "hosts", "folderUID": "mine", "provenance": "api"},
        {"uid": "c", "title": "Slow", "ruleGroup": "shop", "folderUID": "alerts"},
    ]
    told = ("alert rule hosts/Full", "alert rule shop/Slow", "folder Mine")
    assert look(grafana, tmp_path, "right").found == {Why.SYSTEM: dict.fromkeys(told, _WHY)}


def test_without_a_password_it_is_told(grafana: Grafana, tmp_path: Path, canary: Canary) -> None:
    for password, said in (("", "an administrator's password: --grafana-password FILE"), ("very-wrong", "grafana answered 401")):
        (told,) = look(grafana, tmp_path, password).found[Why.ATTENTION].items()
        assert told[0] == f"grafana at {grafana.url}"
        assert said in told[1]
        canary.watch(told[1])
    canary.secret("very-wrong")
