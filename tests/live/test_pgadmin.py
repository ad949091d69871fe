"""docs/how-to/pgadmin.md on a real pgAdmin: PGADMIN_LIVE is the command that runs its setup.py, as words for a shell.

Its database is to be set up already, for PGADMIN_LIVE_USER; that user's servers are replaced.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitops_agent.errors import ApplyFailed, InvalidRevision
from gitops_agent.model import Files
from gitops_agent.target import Site, Target
from tests.conformance.converge import converge, plan
from tests.conformance.subject import KEY, build

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("PGADMIN_LIVE" not in os.environ, reason="PGADMIN_LIVE names no setup.py of pgAdmin"),
]
USER = os.environ.get("PGADMIN_LIVE_USER", "admin@example.org")
MAIN = {"Name": "main", "Group": "mini-cloud", "Host": "postgres", "Port": 5432, "MaintenanceDB": "postgres", "Username": "admin"}


def setup(*arguments: str) -> list[str]:
    return [*shlex.split(os.environ["PGADMIN_LIVE"]), *arguments, "--user", USER]


def servers(**named: dict[str, Any]) -> Files:
    listed = {str(number): {**MAIN, "Name": name, **more} for number, (name, more) in enumerate(named.items(), start=1)}
    return {"servers.json": json.dumps({"Servers": listed}).encode()}


def known(directory: Path) -> dict[str, str]:
    """Host by name, as pgAdmin has them."""
    subprocess.run(setup("dump-servers", str(directory / "dump.json")), check=True, capture_output=True, timeout=60)
    listed = json.loads((directory / "dump.json").read_text())["Servers"].values()
    return {server["Name"]: server["Host"] for server in listed}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    directory = tmp_path / "published"
    settings = {
        "directory": str(directory),
        "check": ["python3", "-m", "json.tool", "{staged}/servers.json", "/dev/null"],
        "reload": [*setup("load-servers", str(directory / "current/servers.json")), "--replace"],
    }
    (tmp_path / "site").mkdir()
    return build("files", settings, Site("live", tmp_path / "site", KEY))


def test_servers_are_what_the_file_says(target: Target, tmp_path: Path) -> None:
    first = servers(main={}, spare={"Host": "spare"})
    converge(target, first)
    assert known(tmp_path) == {"main": "postgres", "spare": "spare"}
    assert not plan(target, first)
    second = servers(main={"Host": "elsewhere"})
    converge(target, second, applied=first)
    assert known(tmp_path) == {"main": "elsewhere"}
    converge(target, first, applied=second)
    assert known(tmp_path) == {"main": "postgres", "spare": "spare"}


def test_a_list_that_pgadmin_refuses_is_taken_back(target: Target, tmp_path: Path) -> None:
    first = servers(main={})
    converge(target, first)
    without_group = {"Name": "other", "Host": "other"}
    refused = {"servers.json": json.dumps({"Servers": {"1": without_group}}).encode()}
    with pytest.raises(ApplyFailed, match="the previous files are back"):
        converge(target, refused, applied=first)
    assert known(tmp_path) == {"main": "postgres"}


def test_what_is_no_json_touches_nothing(target: Target, tmp_path: Path) -> None:
    first = servers(main={})
    converge(target, first)
    with pytest.raises(InvalidRevision):
        converge(target, {"servers.json": b'{"Servers": '}, applied=first)
    assert known(tmp_path) == {"main": "postgres"}
