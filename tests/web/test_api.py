"""The JSON API: what programs are told, and what they may ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from gitops_agent.model import Outcome
from tests.web.conftest import World
from tests.web.world import revision, run


@pytest.fixture
def api(client: FlaskClient, bearer: dict[str, str]) -> FlaskClient:
    client.environ_base["HTTP_AUTHORIZATION"] = bearer["Authorization"]
    return client


def got(client: FlaskClient, path: str, status: int = 200) -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    found: dict[str, Any] = answer.json  # type: ignore[assignment]
    return found


def test_environment(world: World, api: FlaskClient) -> None:
    world.main.state = replace(world.main.state, head=revision("Newer", 2), next_attempt=1_800_000_000.25, fetch_error="no answer")
    found = got(api, "/api/v1/environments/mini-cloud")
    assert found["head"] == {"branch": "main", "sha": revision("", 2).sha, "subject": "Newer", "author": "Ada"}
    assert found["last_attempted_revision"]["sha"] == found["last_applied_revision"]["sha"] == revision("", 1).sha
    assert found["outcome"] == "success"
    assert found["fetch_error"] == "no answer"
    assert found["next_attempt"] == "2027-01-15T08:00:00.250Z"
    assert found["current"] is None
    assert found["targets"][0] == {"name": "nginx", "kind": "nginx", "outcome": "success", "message": "1 updated", "drift": False}
    assert found["url"] == "https://agent.example.org/environments/mini-cloud"
    assert got(api, "/api/v1/environments")["environments"][0] == found


def test_unknown_names_are_404(api: FlaskClient) -> None:
    for path in ("environments/nowhere", "runs/nothing", "nothing"):
        assert set(got(api, f"/api/v1/{path}", 404)) == {"error"}
    for action in ("sync", "suspend", "resume"):
        assert api.post(f"/api/v1/environments/nowhere/{action}").status_code == 404


def test_run_with_steps_and_plans(world: World, api: FlaskClient) -> None:
    made = run()
    world.journal.record(made)
    found = got(api, f"/api/v1/runs/{made.id}")
    assert (found["id"], found["trigger"], found["outcome"]) == (made.id, "webhook", "success")
    assert found["url"] == f"https://agent.example.org/runs/{made.id}"
    assert [step["name"] for step in found["steps"]] == ["read", "render", "plan nginx", "apply nginx", "health nginx"]
    taken = datetime.fromisoformat(found["ended"]) - datetime.fromisoformat(found["started"])
    assert taken.total_seconds() == pytest.approx(0.162, abs=0.002)
    assert found["plans"] == [dict(made.plans[0])]


def test_run_in_progress_is_newer_than_the_journal(world: World, api: FlaskClient) -> None:
    begun = run(outcome=None, ended=0.0, message="", steps=(), plans=())
    world.journal.record(begun)
    world.main.state = replace(world.main.state, current=replace(begun, steps=run().steps[:2]))
    found = got(api, f"/api/v1/runs/{begun.id}")
    assert (found["outcome"], found["ended"]) == (None, None)
    assert [step["name"] for step in found["steps"]] == ["read", "render"]
    assert got(api, "/api/v1/environments/mini-cloud")["current"]["id"] == begun.id


def test_runs_page_by_page(world: World, api: FlaskClient) -> None:
    ids = [f"20261123-20530{number}-000000" for number in range(7)]
    for number, id_ in enumerate(ids):
        world.journal.record(run(id_, "staging" if number == 3 else "mini-cloud", started=1_700_000_000.0 + number))
    seen: list[str] = []
    query = "limit=2&environment=mini-cloud"
    while True:
        page = got(api, f"/api/v1/runs?{query}")
        seen += [each["id"] for each in page["runs"]]
        if page["before"] is None:
            break
        query = f"limit=2&environment=mini-cloud&before={page['before']}"
    assert seen == [id_ for id_ in reversed(ids) if id_ != ids[3]]
    assert len(got(api, "/api/v1/runs")["runs"]) == 7
    assert "plans" not in got(api, "/api/v1/runs")["runs"][0]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=many", "page=2", "limit="])
def test_wrong_queries_name_the_parameter(api: FlaskClient, query: str) -> None:
    assert got(api, f"/api/v1/runs?{query}", 400)["error"].startswith(query.partition("=")[0])


def test_sync_with_consent(world: World, api: FlaskClient) -> None:
    assert api.post("/api/v1/environments/mini-cloud/sync").json == {"queued": ["mini-cloud"]}
    consent = {"allow_deletes": ["3f9c02ab17de"]}
    assert api.post("/api/v1/environments/mini-cloud/sync", json=consent).status_code == 202
    assert world.main.syncs == [(), ("3f9c02ab17de",)]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"allow_deletes": ["all"]}, "allow_deletes.0"),
        ({"allow_deletes": "3f9c02ab17de"}, "allow_deletes"),
        ({"allow_deletes": ["3f9c02ab17de"] * 101}, "allow_deletes"),
        ({"allow_delete": []}, "allow_delete"),
        ([], "the body"),
        (7, "the body"),
    ],
)
def test_wrong_bodies_name_the_field(world: World, api: FlaskClient, body: object, where: str) -> None:
    answer = api.post("/api/v1/environments/mini-cloud/sync", json=body)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"].startswith(f"{where}: ")
    assert world.main.syncs == []


@pytest.mark.parametrize(("data", "kind", "status"), [(b"{", "application/json", 400), (b"{}", "text/plain", 415)])
def test_bodies_that_are_no_json(world: World, api: FlaskClient, data: bytes, kind: str, status: int) -> None:
    assert api.post("/api/v1/environments/mini-cloud/sync", data=data, content_type=kind).status_code == status
    assert world.main.syncs == []


def test_suspend_and_resume(world: World, api: FlaskClient) -> None:
    answer = api.post("/api/v1/environments/mini-cloud/suspend", json={"why": "while the disks are exchanged"})
    assert answer.json is not None
    assert (answer.json["suspended"], answer.json["waiting"]) == (True, "suspended while the disks are exchanged")
    refused = api.post("/api/v1/environments/mini-cloud/sync")
    assert (refused.status_code, refused.json) == (
        409,
        {"error": "mini-cloud is suspended while the disks are exchanged; resume it first"},
    )
    answer = api.post("/api/v1/environments/mini-cloud/resume")
    assert answer.json is not None
    assert answer.json["suspended"] is False


@pytest.mark.parametrize("why", ["x" * 201, "two\nlines", "\x1b[31m", 7, None])
def test_reason_for_a_suspension_is_one_line(world: World, api: FlaskClient, why: object) -> None:
    assert api.post("/api/v1/environments/mini-cloud/suspend", json={"why": why}).status_code == 400
    assert not world.main.state.suspended


def test_order_of_fields_is_for_people(world: World, api: FlaskClient) -> None:
    world.journal.record(run(outcome=Outcome.FAILURE))
    listed = json.loads(api.get("/api/v1/runs").text)["runs"][0]
    assert list(listed)[:3] == ["id", "environment", "trigger"]
