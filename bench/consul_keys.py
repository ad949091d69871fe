"""1,000 Consul keys, changed and unchanged."""

from __future__ import annotations

from collections.abc import Iterator

from bench import raw
from bench.rows import Row, p50
from bench.running import KEYS, Bench
from tests.worker.running import eventually


def consul_keys(bench: Bench) -> Iterator[Row]:
    changed, raw_changed = [], []
    for number in range(max(3, bench.rounds // 3)):
        sha, _ = bench.push({"consul/kv.yaml": bench.keys(f"v{number}")})
        bench.agent.settled(sha)
        changed.append(bench.last_run()[0])
        values = dict(line.split(": ") for line in bench.keys(f"v{number}").splitlines())
        raw_changed.append(raw.consul_keys(bench.consul_port, values))
    yield Row(f"{KEYS} Consul keys changed, whole run, p50", p50(changed), "≤ 400", p50(raw_changed))
    bench.proxy.requests.clear()
    unchanged, raw_unchanged = [], []
    for _ in range(max(3, bench.rounds // 3)):
        before = bench.last_run()[1]
        bench.agent.api("/environments/test/sync", {})
        eventually(lambda before=before: bench.last_run()[1] != before)  # type: ignore[misc]
        eventually(lambda: bench.agent.environment()["current"] is None)
        unchanged.append(bench.last_run()[0])
        raw_unchanged.append(raw.consul_keys(bench.consul_port, values))
    # What the agent waits for changes with is no part of a run.
    calls = len([request for request in bench.proxy.requests if "&wait=" not in request]) / len(unchanged)
    yield Row(f"{KEYS} Consul keys unchanged, whole run, p50", p50(unchanged), "≤ 100", p50(raw_unchanged))
    yield Row("requests to Consul of such a run", calls, "2", unit="")
