"""What Prometheus may know: a registry of our own, labels from configuration and enums only, so that cardinality is bounded and no
label can hold a secret. docs/operations.md says which alerts to make of them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from gitops_agent import __version__
from gitops_agent.model import Outcome, Run

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter, which nobody asks for
registry = CollectorRegistry()
ProcessCollector(registry=registry)  # memory, open files and start time: what a leak shows in first

runs = Counter("gitops_agent_runs", "Runs by how they ended.", ["environment", "outcome"], registry=registry)
run_seconds = Histogram(
    "gitops_agent_run_seconds", "Time from the start of a run to its end.", ["environment"], buckets=_SECONDS, registry=registry
)
step_seconds = Histogram(
    "gitops_agent_step_seconds",
    "Time of each part of a run; target is empty for what concerns all.",
    ["environment", "step", "target"],
    buckets=_SECONDS,
    registry=registry,
)
changes = Counter(
    "gitops_agent_changes", "Changes that were planned in runs.", ["environment", "target", "action"], registry=registry
)
drift = Gauge(
    "gitops_agent_drift",
    "1 where the last look found drift and left it, as configured.",
    ["environment", "target"],
    registry=registry,
)
last_success = Gauge(
    "gitops_agent_last_success_timestamp_seconds", "When a run last ended with success.", ["environment"], registry=registry
)
fetch_failures = Counter(
    "gitops_agent_fetch_failures", "Times the source could not be fetched.", ["environment"], registry=registry
)
statuses = Counter(
    "gitops_agent_statuses",
    "Reports by what became of them: sent, found (the answer was lost, the status was there), dropped, postponed.",
    ["environment", "result"],
    registry=registry,
)
outbox = Gauge("gitops_agent_outbox_statuses", "Reports that wait to be sent.", ["environment"], registry=registry)
journal_lost = Gauge("gitops_agent_journal_lost", "1 while the journal cannot be used: nothing is reported.", registry=registry)
webhooks = Counter(
    "gitops_agent_webhook_requests", "Webhook deliveries by HTTP status of the answer.", ["answer"], registry=registry
)
certificate_expiry = Gauge(
    "gitops_agent_certificate_expiry_timestamp_seconds",
    "When a certificate of a target ends; `ca` is the authority's.",
    ["environment", "target", "certificate"],
    registry=registry,
)
token_expiry = Gauge(
    "gitops_agent_token_expiry_timestamp_seconds",
    "When a token that a target keeps for a program ends unless it is renewed; `agent` is the one in the target's token_file.",
    ["environment", "target", "token"],
    registry=registry,
)
build = Gauge("gitops_agent_build_info", "Always 1.", ["version", "python"], registry=registry)
build.labels(__version__, platform.python_version()).set(1)


class Result(Protocol):
    """What a run did to one target, as far as metrics want to know."""

    @property
    def outcome(self) -> Outcome: ...
    @property
    def drift(self) -> bool: ...


def run_ended(run: Run, results: Mapping[str, Result]) -> None:
    """Counts a run that is over, with its steps, its changes and the drift it left."""
    environment = run.environment
    runs.labels(environment, str(run.outcome)).inc()
    run_seconds.labels(environment).observe(max(0.0, run.ended - run.started))  # clocks jump
    for step in run.steps:
        name, _, target = step.name.partition(" ")
        step_seconds.labels(environment, name, target).observe(max(0.0, step.ended - step.started))
    for plan in run.plans:
        for change in plan["changes"]:
            changes.labels(environment, plan["target"], change["action"]).inc()
    for target, result in results.items():
        drift.labels(environment, target).set(result.drift)
    if run.outcome is Outcome.SUCCESS:
        last_success.labels(environment).set(run.ended)


def own_token(environment: str, target: str, ends: float | None) -> None:
    """The agent's own token in a system, by epoch seconds; None for one that never ends."""
    with suppress(KeyError):
        token_expiry.remove(environment, target, "agent")
    if ends is not None:
        token_expiry.labels(environment, target, "agent").set(ends)


def fetch_failed(environment: str) -> None:
    fetch_failures.labels(environment).inc()


def text() -> str:
    """Everything, in Prometheus' text format 0.0.4."""
    return generate_latest(registry).decode()
