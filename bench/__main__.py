"""Measures, and prints a table: what was measured, how long, what raw calls need, the ratio, and what was promised."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.consul_keys import consul_keys
from bench.nomad_jobs import nomad_jobs
from bench.pushes import cold_start, memory, push_to_served, webhook
from bench.rows import Row
from bench.running import Bench
from bench.systems import compose, mixed, vault_policies
from bench.validation import validation

MEASURES: dict[str, Callable[[Bench], Iterator[Row | str]]] = {
    "cold-start": cold_start,
    "webhook": webhook,
    "push": push_to_served,
    "consul": consul_keys,
    "memory": memory,
    "compose": compose,
    "vault": vault_policies,
    "nomad": nomad_jobs,
    "mixed": mixed,
    "validation": validation,
}
"""In this order; the first fills the repository and starts the agent."""
_ALONE = frozenset({"compose", "vault", "nomad", "mixed", "validation"})
"""Those that begin with a repository and an agent of their own."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="how often each thing is measured (12)")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES), help="what to measure (everything)")
    options = parser.parse_args()
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        base.chmod(0o755)
        bench = Bench(base, options.rounds, stack)
        print(f"{'':<58}{'':>9}     {'raw':>9}   ratio  goal")
        wanted = options.only if _ALONE.issuperset(options.only) else dict.fromkeys(["cold-start", *options.only])
        for name in wanted:
            for row in MEASURES[name](bench):
                print(row, flush=True)


if __name__ == "__main__":
    main()
