"""Measures, and prints a table: what was measured, how long, what raw calls need, the ratio, and what was promised."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.consul_keys import consul_keys
from bench.pushes import cold_start, memory, push_to_served, webhook
from bench.running import Bench


def main() -> None:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        base.chmod(0o755)
        bench = Bench(base, rounds, stack)
        print(f"{'':<58}{'':>9}     {'raw':>9}   ratio  goal")
        for measure in (cold_start, webhook, push_to_served, consul_keys, memory):
            for row in measure(bench):
                print(row, flush=True)


if __name__ == "__main__":
    main()
