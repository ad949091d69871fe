"""One world a test: two environments of the same repository, a real journal, the application."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gitops_agent import web
from gitops_agent.journal import Journal
from tests.web.world import TOKEN, MemoryEnvironment, environment


@dataclass
class World:
    environments: dict[str, MemoryEnvironment]
    journal: Journal
    unready: dict[str, str]
    app: Flask

    @property
    def main(self) -> MemoryEnvironment:
        return self.environments["mini-cloud"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    environments = {
        "mini-cloud": environment("mini-cloud", tmp_path),
        "staging": environment("staging", tmp_path, branch="staging", secret="what-staging-is-signed-with"),
    }
    unready: dict[str, str] = {}
    journal = Journal(tmp_path / "journal.sqlite3")
    app = web.create(environments, journal, TOKEN, "https://agent.example.org", lambda: unready)
    yield World(environments, journal, unready, app)
    journal.close()


@pytest.fixture
def client(world: World) -> FlaskClient:
    """A browser that has not signed in; https, as the cookie never travels without."""
    found = world.app.test_client()
    found.environ_base["wsgi.url_scheme"] = "https"
    return found


@pytest.fixture
def bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def person(client: FlaskClient) -> FlaskClient:
    """A browser that has signed in."""
    answer = client.post("/login", data={"token": TOKEN})
    assert answer.status_code == 303, answer.text
    return client


@pytest.fixture
def served(world: World) -> Iterator[str]:
    """The application on a real port; gives its address."""
    server = web.serve(world.app, "127.0.0.1:0")
    server.start()
    yield f"http://{server.address}"
    server.close()
