"""What Prometheus sees of a run."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_agent import metrics
from gitops_agent.model import Outcome
from tests.journal.entries import finished


@dataclass(frozen=True)
class Result:
    outcome: Outcome
    drift: bool = False


def value(name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"gitops_agent_{name}", labels)


def test_a_run_is_counted_with_its_steps_changes_and_drift() -> None:
    name = "counted"
    results = {"nginx": Result(Outcome.FAILURE), "consul": Result(Outcome.SUCCESS, drift=True)}
    metrics.run_ended(finished(1, name), results)
    assert value("runs_total", environment=name, outcome="failure") == 1
    assert value("run_seconds_count", environment=name) == 1
    assert value("step_seconds_sum", environment=name, step="apply", target="nginx") == 0.5
    assert value("changes_total", environment=name, target="nginx", action="update") == 1
    assert value("drift", environment=name, target="consul") == 1
    assert value("last_success_timestamp_seconds", environment=name) is None
    metrics.run_ended(finished(2, name, outcome=Outcome.SUCCESS), {"consul": Result(Outcome.SUCCESS)})
    assert value("drift", environment=name, target="consul") == 0
    assert value("last_success_timestamp_seconds", environment=name) == 1_800_000_001.5


def test_a_clock_that_was_set_back_does_not_spoil_the_sums() -> None:
    """Failure mode 66."""
    metrics.run_ended(finished(1, "jumped", started=2000.0, ended=1000.0), {})
    assert value("run_seconds_sum", environment="jumped") == 0


def test_the_text_has_ours_and_nothing_that_costs_a_series_for_nothing() -> None:
    metrics.fetch_failed("texted")
    text = metrics.text()
    assert 'gitops_agent_fetch_failures_total{environment="texted"} 1.0\n' in text
    assert "gitops_agent_build_info{" in text
    assert "_created" not in text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    assert {name for name in names if not name.startswith(("gitops_agent_", "process_"))} == set()
