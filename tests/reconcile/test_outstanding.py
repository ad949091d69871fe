"""What only an operator can do: the environment that the repository describes is not the one that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.reconcile import outstanding
from gitops_agent.settings.load import read

RUNNING = """
[environments.mini-cloud]
source = "/srv/config.git"
[[environments.mini-cloud.targets]]
kind = "files"
name = "pages"
directory = "/srv/pages"
"""


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (RUNNING, ""),
        ("# the same\nlog_format = 'json'\n" + RUNNING, ""),
        (RUNNING.replace("environments.mini-cloud", "environments.other"), ""),
        (RUNNING.replace("/srv/pages", "/srv/other"), "agent/agent.toml differs: run bootstrap"),
        (RUNNING.replace("files", "no-kind"), "agent/agent.toml is none: gitops-agent check"),
        ("\udcff", "agent/agent.toml is none: gitops-agent check"),
    ],
)
def test_what_is_said(described: str, said: str) -> None:
    running = read(RUNNING, Path("agent.toml")).environments["mini-cloud"]
    assert outstanding({"agent/agent.toml": described.encode(errors="surrogateescape")}, "mini-cloud", running) == said
    assert outstanding({"pages/agent.toml": described.encode(errors="surrogateescape")}, "mini-cloud", running) == ""
