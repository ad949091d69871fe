"""Real Grafana, where GRAFANA_BIN names a `grafana-server` and GRAFANA_HOME its home path."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.errors import ApplyFailed
from gitops_agent.model import Files, HealthStatus
from gitops_agent.target import Site
from tests.conformance.converge import converge, plan
from tests.conformance.holding import eventually
from tests.conformance.subject import KEY, build
from tests.targets.grafana.test_grafana import dashboard
from tests.targets.supervised import Supervised

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        not {"GRAFANA_BIN", "GRAFANA_HOME"} <= set(os.environ), reason="GRAFANA_BIN and GRAFANA_HOME name no Grafana"
    ),
]


@pytest.mark.parametrize("publish", ["switch", "in-place"])
def test_grafana(tmp_path: Path, free_port: Callable[[], int], publish: str) -> None:
    port, password, config = free_port(), secrets.token_hex(8), tmp_path / "grafana.ini"
    directory = tmp_path / "published"
    live = directory / "current" if publish == "switch" else directory
    (tmp_path / "password").write_text(password)
    config.write_text(f"""[paths]
data = {tmp_path}/data
logs = {tmp_path}/log
plugins = {tmp_path}/plugins
provisioning = {live}
[server]
http_addr = 127.0.0.1
http_port = {port}
[security]
admin_password = {password}
[analytics]
reporting_enabled = false
check_for_updates = false
""")

    def files(title: str, source: str = "Prometheus") -> Files:
        rarely = "type: file, updateIntervalSeconds: 3600"
        provider = f"apiVersion: 1\nproviders:\n- {{name: all, {rarely}, options: {{path: {live}/dashboards}}}}\n"
        listed = f"apiVersion: 1\ndatasources:\n- {{name: {source}, type: prometheus, uid: prom, url: 'http://127.0.0.1:9'}}\n"
        return {
            "datasources/a.yaml": listed.encode(),
            "dashboards/all.yaml": provider.encode(),
            "dashboards/hosts.json": dashboard("hosts", title),
        }

    settings = {
        "directory": str(directory),
        "publish": publish,
        "address": f"http://127.0.0.1:{port}",
        "password_file": str(tmp_path / "password"),
    }
    target = build("grafana", settings, Site("live", tmp_path, KEY))
    home = ["-homepath", os.environ["GRAFANA_HOME"]]
    with Supervised([os.environ["GRAFANA_BIN"], *home, "-config", config], config, tmp_path / "grafana.out").running():
        eventually(lambda: target.health().status is HealthStatus.HEALTHY, 60, "health")
        converge(target, files("Hosts"))
        converge(target, files("All hosts"), applied=files("Hosts"))
        assert not plan(target, files("All hosts"))
        more = {**files("All hosts"), "dashboards/more/disks.json": dashboard("disks", "Disks")}
        converge(target, more, applied=files("All hosts"))
        converge(target, files("All hosts"), applied=more)
        assert [found["uid"] for found in target.call("GET", "/api/search?type=dash-db").data] == ["hosts"]  # type: ignore[attr-defined]
        unusable = {**files("Changed"), "dashboards/x.json": dashboard("a uid with blanks", "X")}
        with pytest.raises(ApplyFailed, match="has not taken dashboard 'X'"):
            converge(target, unusable, applied=files("All hosts"))
        found = target.call("GET", "/api/search?type=dash-db").data  # type: ignore[attr-defined]
        assert [(there["uid"], there["title"]) for there in found] == [("hosts", "All hosts")]
        (tmp_path / "password").write_text("wrong")
        with pytest.raises(ApplyFailed, match="answered 401"):
            converge(target, files("Hosts"), applied=files("All hosts"))
    target.close()
