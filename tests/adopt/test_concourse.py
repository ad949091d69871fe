"""The pipelines of a Concourse as a config repo: those that people set, and not those that pipelines set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from gitops_agent.adopt import systems
from gitops_agent.adopt.described import Described
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.reaching import Reaching
from tests.fakes.concourse import PASSWORD, USER, FakeConcourse
from tests.targets.concourse.server import TEAM, ConcourseServer
from tests.targets.concourse.subject import pipeline

_NOBODY = Landscape("shop", Path("/srv/shop"), (), (), ())


@pytest.fixture
def fake() -> Iterator[FakeConcourse]:
    with FakeConcourse() as fake:
        yield fake


@pytest.fixture
def server(fake: FakeConcourse) -> Iterator[ConcourseServer]:
    with closing(ConcourseServer(fake.url, USER, PASSWORD)) as server:
        server.set_team({"auth": {"owner": {"users": [f"local:{USER}"]}}})
        yield server


def look(server: ConcourseServer, directory: Path, left: Left, *, user: str = USER, password: str = PASSWORD) -> list[Described]:
    (directory / "password").write_text(password)
    credentials = {"concourse": directory / "password"} if password else {}
    reaching = Reaching({"concourse": server.url}, left)
    return [*systems.describe(_NOBODY, reaching, credentials, {"concourse": user}, "shop", left)]


def test_each_is_taken_as_it_is(server: ConcourseServer, tmp_path: Path) -> None:
    server.set("app", pipeline("app", serial=True, LEVEL="3"))
    server.set("nightly", pipeline("nightly"))
    server.set("old", pipeline("old"))
    for name, action in (("app", "unpause"), ("app", "expose"), ("old", "archive")):
        server.act(name, action)
    before = {name: server.config(name) for name in ("app", "nightly")}
    left = Left()
    (described,) = look(server, tmp_path, left)
    files = described.files()
    assert {*files} == {f"{TEAM}.yml", f"{TEAM}/app.yml", f"{TEAM}/nightly.yml"}
    assert yaml.safe_load(files[f"{TEAM}.yml"]) == {"paused": ["nightly"], "exposed": ["app"]}
    assert yaml.safe_load(files[f"{TEAM}/app.yml"])["jobs"][0]["serial"] is True
    assert left.found == {Why.SYSTEM: {f"pipeline {TEAM}/old": "is archived"}}
    assert {name: server.config(name) for name in before} == before


def test_what_a_pipeline_has_set_is_its_own_affair(fake: FakeConcourse, server: ConcourseServer, tmp_path: Path) -> None:
    server.set("parent", pipeline("parent"))
    server.set("child", pipeline("child"))
    fake.pipelines.all[TEAM, "child"].parent_job = 7
    left = Left()
    (described,) = look(server, tmp_path, left)
    assert f"{TEAM}/child.yml" not in described.files()
    assert left.found == {Why.WRITTEN: {f"pipeline {TEAM}/child": "set by a step of a pipeline"}}


@pytest.mark.parametrize(("user", "password"), [(USER, ""), ("", PASSWORD), (USER, "wrong")])
def test_without_a_login_it_is_told(server: ConcourseServer, tmp_path: Path, user: str, password: str) -> None:
    left = Left()
    assert look(server, tmp_path, left, user=user, password=password) == []
    (said,) = left.found[Why.ATTENTION].items()
    assert said[0] == f"concourse at {server.url}"
    assert ("--concourse-password FILE" in said[1]) is not bool(password)
