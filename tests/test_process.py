"""What becomes of programs that do not end, and of what they leave behind."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

_ALONE = """
import ctypes, os, time
from pathlib import Path
from gitops_agent import process
from gitops_agent.errors import CommandFailed

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0  # orphans come here, as to process 1
try:
    process.run(["sh", "-c", "(sleep 100 & sleep 100) & sleep 100"], timeout=0.2)
except CommandFailed as error:
    print(error)
print("left:", Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
"""


def test_orphans_are_ended_and_reaped_also_where_the_agent_is_process_1() -> None:
    """Failure mode 67: a container without an init."""
    done = subprocess.run([sys.executable, "-c", _ALONE], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "sh did not end within 0.2 s\nleft: []\n"
