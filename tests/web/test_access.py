"""Deny by default, one token, forms that only our own pages can send."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from gitops_agent import web
from gitops_agent.errors import ConfigError
from gitops_agent.web.access import OPEN
from tests.web.conftest import World
from tests.web.world import TOKEN

FORMS = ["/environments/mini-cloud/sync", "/environments/mini-cloud/suspend", "/environments/mini-cloud/resume", "/logout"]


def csrf(person: FlaskClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', person.get("/environments/mini-cloud").text)
    assert found is not None
    return found[1]


def test_every_route_but_the_open_ones_needs_the_token(world: World, client: FlaskClient) -> None:
    """Asks each route that exists, so that a new one cannot be forgotten."""
    asked = 0
    for rule in world.app.url_map.iter_rules():
        if rule.endpoint in OPEN:
            continue
        path = re.sub(r"<[^>]+>", "mini-cloud", rule.rule).replace("/mini-cloud/mini-cloud", "/mini-cloud/sync")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(path, method=method)
            asked += 1
            if path.startswith(("/api/", "/metrics")) or method == "POST":
                assert answer.status_code == 401, (method, path)
            else:
                assert (answer.status_code, answer.headers["Location"]) == (303, f"/login?next={path}"), (method, path)
    assert asked >= 14
    assert world.main.syncs == []


def test_open_ones_are_open(client: FlaskClient) -> None:
    assert [client.get(path, buffered=True).status_code for path in ("/healthz", "/readyz", "/login", "/static/style.css")] == [
        200
    ] * 4


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer ä",
        f"Bearer {TOKEN} {TOKEN}",
    ],
)
def test_wrong_tokens(client: FlaskClient, header: str) -> None:
    answer = client.get("/api/v1/environments", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json == {"error": "send the token as «Authorization: Bearer …»"}


def test_right_token(client: FlaskClient, bearer: dict[str, str]) -> None:
    assert client.get("/api/v1/environments", headers=bearer).status_code == 200
    assert client.get("/metrics", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


@pytest.mark.slow
def test_storm_of_wrong_tokens_turns_429_and_the_right_one_still_counts(client: FlaskClient, bearer: dict[str, str]) -> None:
    codes = [client.get("/api/v1/runs", headers={"Authorization": "Bearer guess"}).status_code for _ in range(300)]
    assert set(codes) == {401, 429}
    assert client.get("/api/v1/runs", headers=bearer).status_code == 200
    assert 429 in {client.post("/login", data={"token": "guess"}).status_code for _ in range(30)}
    assert client.post("/login", data={"token": TOKEN}).status_code == 303


def test_a_session_opens_the_pages_and_not_the_api(person: FlaskClient) -> None:
    """A cookie travels by itself; the API must not be moved by one."""
    assert person.get("/").status_code == 200
    assert person.get("/api/v1/environments").status_code == 401
    assert person.post("/api/v1/environments/mini-cloud/sync").status_code == 401
    assert person.get("/metrics").status_code == 401


def test_wrong_token_in_the_form(client: FlaskClient) -> None:
    answer = client.post("/login", data={"token": "guess"})
    assert answer.status_code == 401
    assert "That is not the token." in answer.text
    assert client.get("/").status_code == 303


def test_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient) -> None:
    cookie = client.post("/login", data={"token": TOKEN}).headers["Set-Cookie"]
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie


def test_signing_out_ends_the_session(person: FlaskClient) -> None:
    assert person.post("/logout", data={"csrf": csrf(person)}).headers["Location"] == "/login"
    assert person.get("/").status_code == 303


def test_new_token_ends_all_sessions(world: World, person: FlaskClient) -> None:
    cookie = person.get_cookie("gitops_agent")
    assert cookie is not None
    rotated = web.create(world.environments, world.journal, "another-token-of-good-length", "http://agent", dict).test_client()
    rotated.set_cookie("gitops_agent", cookie.value)
    assert rotated.get("/").status_code == 303


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("given", ["", "forged", "ä"])
def test_forms_of_other_sites_are_refused(world: World, person: FlaskClient, path: str, given: str) -> None:
    answer = person.post(path, data={"csrf": given})
    assert answer.status_code == 403
    assert not world.main.syncs
    assert not world.main.state.suspended
    assert person.get("/").status_code == 200


def test_form_of_another_session_is_refused(world: World, person: FlaskClient) -> None:
    other = world.app.test_client()
    other.environ_base["wsgi.url_scheme"] = "https"
    other.post("/login", data={"token": TOKEN})
    assert person.post("/environments/mini-cloud/sync", data={"csrf": csrf(other)}).status_code == 403
    assert person.post("/environments/mini-cloud/sync", data={"csrf": csrf(person)}).status_code == 303
    assert world.main.syncs == [()]


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com/",
        "//evil.example.com/",
        "/\\evil.example.com",
        "\\\\evil.example.com",
        "javascript:alert(1)",
        "/\t/evil.example.com",
        "",
    ],
)
def test_signing_in_never_leads_elsewhere(client: FlaskClient, address: str) -> None:
    answer = client.post("/login", query_string={"next": address}, data={"token": TOKEN})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_signing_in_leads_back_to_the_page_that_was_asked_for(client: FlaskClient) -> None:
    asked = client.get("/runs?environment=mini-cloud&limit=5").headers["Location"]
    assert client.post(asked, data={"token": TOKEN}).headers["Location"] == "/runs?environment=mini-cloud&limit=5"


def test_token_that_could_be_guessed_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="shorter than 16"):
        web.create(world.environments, world.journal, "hunter2", "http://agent", dict)


def test_safety_headers_are_on_every_kind_of_answer(client: FlaskClient) -> None:
    for path in ("/login", "/healthz", "/nothing", "/api/v1/runs", "/static/style.css"):
        headers = client.get(path, buffered=True).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == ("public, max-age=86400" if "static" in path else "no-store")


def test_behind_a_prefix_links_and_cookie_stay_below_it(world: World) -> None:
    app = web.create(world.environments, world.journal, TOKEN, "https://example.org/gitops/", dict)
    client = app.test_client()
    answer = client.post("/login", data={"token": TOKEN}, environ_overrides={"SCRIPT_NAME": "/gitops"})
    assert answer.headers["Location"] == "/gitops/"
    assert "Path=/gitops" in answer.headers["Set-Cookie"]


def test_a_token_for_metrics_opens_nothing_else(world: World) -> None:
    theirs = "for-prometheus-and-nobody-else"
    app = web.create(world.environments, world.journal, TOKEN, "http://agent", dict, metrics_token=theirs)
    client, bearer = app.test_client(), {"Authorization": f"Bearer {theirs}"}
    assert client.get("/metrics", headers=bearer).status_code == 200
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
    assert client.get("/api/v1/environments", headers=bearer).status_code == 401
    assert client.post("/api/v1/environments/mini-cloud/sync", headers=bearer).status_code == 401
    assert client.post("/login", data={"token": theirs}).status_code == 401
    assert world.main.syncs == []


def test_a_token_for_metrics_that_could_be_guessed_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="metrics_token_file: the token is shorter than 16"):
        web.create(world.environments, world.journal, TOKEN, "http://agent", dict, metrics_token="hunter2")
