"""`gitops-agent demo`, as somebody sees it who tries it first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow]


def test_the_story_is_told_to_its_end_and_nothing_is_left_behind(public_path, binary):
    binary("nginx"), binary("consul")
    done = subprocess.run(
        [sys.executable, "-m", "gitops_agent", "demo"],
        env={**os.environ, "TMPDIR": str(public_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for act in ("push the template", "push a change", "push a broken", "revert it", "change a published file by hand"):
        assert f"✓ {act}" in done.stdout
    assert 'error: nginx/sites/default.conf:3: unknown directive "rood"' in done.stdout
    assert "consul: 1 created" in done.stdout
    assert list(public_path.iterdir()) == []
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(public_path) not in processes
