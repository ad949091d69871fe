"""`gitops-agent demo`, as somebody sees it who tries it first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def temporary():
    """Short, or Consul's and nginx' paths would be long; the demo must leave nothing in it."""
    path = Path(tempfile.mkdtemp(prefix="demo-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_the_story_is_told_to_its_end_and_nothing_is_left_behind(temporary, binary):
    binary("nginx"), binary("consul")
    done = subprocess.run(
        [sys.executable, "-m", "gitops_agent", "demo"],
        env={**os.environ, "TMPDIR": str(temporary)},
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
    assert list(temporary.iterdir()) == []
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(temporary) not in processes
