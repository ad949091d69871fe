"""The stack's Prometheus: a configuration that promtool takes, and an alert for each thing that it says it would notice."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_agent.model import Files
from tests.stack import rendered

ALERTS = Path(__file__).with_name("alerts.yaml")
_SECRETS = "/run/secrets"


@pytest.fixture(scope="module")
def files() -> Files:
    return rendered.plain(rendered.folder("prometheus", "workers: {nodes: [192.168.64.15]}"))


@pytest.fixture(scope="module")
def rules(files: Files) -> dict[str, dict[str, Any]]:
    groups = [group for path, text in files.items() if path.startswith("rules/") for group in yaml.safe_load(text)["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@pytest.mark.server
def test_promtool_takes_it_with_all_that_it_names(files: Files, tmp_path: Path, binary: Callable[[str], str]) -> None:
    tokens = tmp_path / "secrets"
    tokens.mkdir()
    for path, content in files.items():
        text = content.decode().replace(_SECRETS, str(tokens))
        for name in re.findall(rf"{tokens}/([\w-]+)", text):
            (tokens / name).write_text("token")
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    _promtool(binary, "check", "config", str(tmp_path / "prometheus.yml"))


@pytest.mark.server
def test_each_alert_rings_when_it_should_and_not_before(files: Files, tmp_path: Path, binary: Callable[[str], str]) -> None:
    for path, content in files.items():
        if path.startswith("rules/"):
            (tmp_path / Path(path).name).write_bytes(content)
    (tmp_path / ALERTS.name).write_text(ALERTS.read_text())
    _promtool(binary, "test", "rules", str(tmp_path / ALERTS.name))


def test_no_alert_is_without_a_test(rules: dict[str, dict[str, Any]]) -> None:
    cases = yaml.safe_load(ALERTS.read_text())["tests"]
    expected = {case["alertname"] for test in cases for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert expected == {*rules}


def test_each_alert_says_what_to_do(rules: dict[str, dict[str, Any]]) -> None:
    for name, rule in rules.items():
        assert rule["annotations"]["summary"], name
        assert rule["annotations"]["do"], name
        assert rule["labels"]["severity"] in ("warning", "critical"), name


def test_everything_that_the_document_names_is_scraped(files: Files) -> None:
    """mini-cloud-architecture, section 5, with tokens as files."""
    jobs = {job["job_name"]: job for job in yaml.safe_load(files["prometheus.yml"])["scrape_configs"]}
    where = {name: (job["static_configs"][0]["targets"][0], job.get("metrics_path", "/metrics")) for name, job in jobs.items()}
    assert (
        where.items()
        >= {
            "prometheus": ("localhost:9090", "/metrics"),
            "consul": ("consul:8500", "/v1/agent/metrics"),
            "nomad": ("nomad-server:4646", "/v1/metrics"),
            "vault": ("vault:8200", "/v1/sys/metrics"),
            "gitea": ("gitea:3000", "/metrics"),
            "concourse": ("concourse-web:9090", "/metrics"),
            "nomad-client": ("192.168.64.15:4646", "/v1/metrics"),
        }.items()
    )
    assert {name for name, job in jobs.items() if "authorization" in job} == {"consul", "vault", "gitea", "gitops-agent"}


def _promtool(binary: Callable[[str], str], *arguments: str) -> None:
    done = subprocess.run([binary("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_mini_cloud_does_without_is_not_scraped() -> None:
    left_out = ["vault", "nomad-server", "grafana", "loki", "promtail", "concourse-web", "gitea", "pgadmin"]
    config = yaml.safe_load(rendered.plain(rendered.folder("prometheus", f"without: {left_out}"))["prometheus.yml"])
    asked = {job["job_name"] for job in config["scrape_configs"]}
    probes = {f"hostname-{name}.example.test" for name in ("consul", "metrics", "deploy", "example")}
    assert asked == {"prometheus", "consul", "gitops-agent", *probes}
