"""What plans pull requests: another Concourse target, of somebody who may only look at pipelines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitops_agent.concourse import RoleMissing
from gitops_agent.errors import AgentError
from gitops_agent.targets.concourse.target import ConcourseTarget
from tests.conformance.converge import converge, desired, plan
from tests.targets.concourse.conftest import ROLES
from tests.targets.concourse.server import TEAM, ConcourseServer
from tests.targets.concourse.subject import pipeline
from tests.targets.proxy import Proxy

Make = Callable[..., ConcourseTarget]
_WAS = {f"{TEAM}.yml": b"paused: [app]\n", f"{TEAM}/app.yml": pipeline("app"), f"{TEAM}/other.yml": pipeline("other")}
_WANTED = {f"{TEAM}.yml": b"order: [new, app]\n", f"{TEAM}/app.yml": pipeline("app-two"), f"{TEAM}/new.yml": pipeline("new")}


@pytest.fixture
def becomes(concourse: ConcourseServer) -> Iterator[Callable[[str], None]]:
    """Gives the client that the tests have another role in the team: `viewer`, `member`, none."""
    roles = json.loads(ROLES.read_text())["auth"]

    def give(role: str) -> None:
        owner = {"owner": {**roles["owner"], "users": [f"local:{concourse.user}"]}}
        concourse.set_team({"auth": owner | ({role: {"users": ["client:fly"], "groups": []}} if role else {})})

    yield give
    give("member")


@pytest.fixture
def target(make: Make, concourse: ConcourseServer, tmp_path: Path) -> ConcourseTarget:
    """With `_WAS` applied, by a member."""
    target = make(preview_client="fly", preview_password_file=str(tmp_path / "secret"))
    converge(target, _WAS)
    return target


@pytest.fixture
def reader(target: ConcourseTarget, becomes: Callable[[str], None]) -> Iterator[ConcourseTarget]:
    reader = target.reader()
    assert isinstance(reader, ConcourseTarget)
    becomes("viewer")
    yield reader
    reader.close()


def test_without_a_password_there_is_none(make: Make) -> None:
    assert make().reader() is None


def test_it_plans_like_the_other_and_cannot_write(
    target: ConcourseTarget, reader: ConcourseTarget, concourse: ConcourseServer, becomes: Callable[[str], None]
) -> None:
    before = [(row["name"], row["paused"], concourse.config(row["name"])) for row in concourse.rows()]
    assert not plan(reader, _WAS, applied=_WAS)
    proposed = plan(reader, _WANTED, applied=_WAS)
    for change in proposed:
        with pytest.raises(AgentError, match=f"fly lacks role member in team {TEAM}"):
            list(reader.apply(proposed.only(change.action)))
    assert [(row["name"], row["paused"], concourse.config(row["name"])) for row in concourse.rows()] == before
    becomes("member")
    assert proposed.text() == plan(target, _WANTED, applied=_WAS).text()


def test_it_sends_nothing_that_somebody_proposed(reader: ConcourseTarget, proxy: Proxy) -> None:
    """What Concourse is asked to check it evaluates: that takes who may save, and waits for the merge."""
    proxy.calls.clear()
    plan(reader, {**_WANTED, f"{TEAM}/wrong.yml": b"jobs: [{name: j, plan: [{get: nothing}]}]\n"}, applied=_WAS)
    assert [call for call in proxy.writes if "/sky/" not in call] == []


def test_it_sees_what_somebody_did_by_hand(reader: ConcourseTarget, concourse: ConcourseServer) -> None:
    concourse.set("app", pipeline("by hand"))
    drifted = plan(reader, _WAS, applied=_WAS)
    assert [change.name for change in drifted] == [f"pipeline:{TEAM}/app"]
    assert "by hand" not in drifted.text()


def test_who_is_no_viewer_is_told(reader: ConcourseTarget, becomes: Callable[[str], None]) -> None:
    becomes("")
    with pytest.raises(RoleMissing, match=f"the user for previews is no viewer of team {TEAM}, or there is no such team"):
        plan(reader, _WAS)


def test_of_what_may_hold_a_credential_nothing_is_told(make: Make) -> None:
    """Not whether it is what the live pipeline has: a guess would be confirmed."""
    target = make()
    told = {
        f"{name}: {value}": target.tells(resource)
        for name, value in (
            ("LEVEL", "high"),
            ("PASSWORD", "((password))"),
            ("PASSWORD", "guess"),
            ("URL", "http://me:guess@gitea/"),
        )
        for resource in desired(target, {f"{TEAM}/app.yml": pipeline("app", **{name: value})})
    }
    assert told == {
        "LEVEL: high": True,
        "PASSWORD: ((password))": True,
        "PASSWORD: guess": False,
        "URL: http://me:guess@gitea/": False,
    }
