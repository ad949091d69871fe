"""The OpenAPI document names every route, and schemathesis finds nothing that the routes do otherwise than it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_agent import web
from tests.web import gitea
from tests.web.conftest import World
from tests.web.world import TOKEN, run


def test_document_names_every_route_and_no_other(world: World, client: FlaskClient, bearer: dict[str, str]) -> None:
    described = client.get("/api/v1/openapi.json", headers=bearer).json
    assert described is not None
    named = {(path, method) for path, item in described["paths"].items() for method in item if method != "parameters"}
    served = set()
    for rule in world.app.url_map.iter_rules():
        if rule.endpoint == "static":
            continue
        # One rule stands for the three forms of an environment's page.
        paths = [re.sub(r"<any\(.*\):action>", action, rule.rule) for action in ("sync", "approve", "suspend", "resume")]
        for path in {re.sub(r"<(\w+)>", r"{\1}", path) for path in paths}:
            served |= {(path, method.lower()) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert named == served


def test_manual_names_every_route(world: World) -> None:
    manual = (Path(__file__).parents[2] / "docs/reference/api.md").read_text()
    for rule in world.app.url_map.iter_rules():
        if rule.endpoint != "static" and "<any" not in rule.rule:
            assert re.sub(r"<(\w+)>", lambda match: match[1].upper(), rule.rule) in manual, rule.rule


def examine(address: str, directory: Path, *options: str) -> None:
    """Runs schemathesis as a person would; all its checks count unless `options` say otherwise."""
    program = shutil.which("schemathesis")
    assert program is not None
    command = [program, "run", f"{address}/api/v1/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", "--no-color"]
    ended = subprocess.run(
        [*command, "--max-examples=25", *options], cwd=directory, capture_output=True, text=True, timeout=110, check=False
    )
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"\d{3} passed|\d{3} generated", ended.stdout), ended.stdout


@pytest.fixture
def patient(world: World) -> World:
    """Schemathesis sends hundreds of wrong tokens and wants to see 401 for each."""
    world.journal.record(run())
    world.app = web.create(world.environments, world.journal, TOKEN, "http://agent", dict, patience=100_000)
    return world


@pytest.mark.slow
def test_schemathesis_on_api_webhook_and_health(patient: World, served: str, tmp_path: Path) -> None:
    examine(served, tmp_path, "--exclude-tag=pages")


@pytest.mark.slow
def test_schemathesis_on_pages(patient: World, served: str, tmp_path: Path) -> None:
    """Signed in. Who is not is led to the sign-in, which its check for 401 does not know; test_access does."""
    client = patient.app.test_client()
    client.post("/login", data={"token": TOKEN})
    cookie = client.get_cookie("gitops_agent")
    assert cookie is not None
    signed_in = f"--header=Cookie: gitops_agent={cookie.value}"
    examine(served, tmp_path, "--include-tag=pages", "--exclude-checks=ignored_auth,negative_data_rejection", signed_in)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "ref": st.sampled_from(["refs/heads/main", "refs/tags/v1", "refs/heads/", ""]) | json_values,
        "before": st.just("1" * 40) | json_values,
        "after": st.sampled_from(["2" * 40, gitea.ZEROS, ""]) | json_values,
        "repository": st.just({"full_name": "ops/config"}) | json_values,
    },
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(payload=payloads | json_values, event=st.sampled_from(["push", "create", "delete", "status", ""]))
def test_no_signed_payload_breaks_the_webhook(world: World, payload: object, event: str) -> None:
    """What schemathesis cannot sign."""
    body = json.dumps(payload).encode()
    before = len(world.main.wakes)
    answer = world.app.test_client().post("/webhook/gitea", data=body, headers=gitea.headers(body, event=event))
    assert answer.json is not None
    assert answer.status_code in (202, 400, 404, 422)
    assert bool(answer.json["queued"]) == (answer.status_code == 202) == (len(world.main.wakes) > before)
