"""Small servers with canned answers for what is not installed everywhere, and the settings of a target."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeAlias

import pytest

from gitops_agent.doctor import Finding
from tests.fakes.http import Server

Answers: TypeAlias = dict[str, tuple[int, Any]]
"""Status and body (text, or what becomes JSON) by `METHOD path`, without the query."""


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], str]]:
    """`serve({"GET /ready": (503, "no")})`: the address of a server that answers so; what it does not know is 404."""
    servers: list[Server] = []

    def start(answers: Answers) -> str:
        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                status, body = answers.get(f"{self.command} {self.path.partition('?')[0]}", (404, {"message": "unknown"}))
                data = body if isinstance(body, str) else json.dumps(body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(data.encode() if status != 204 else b"")

            do_GET = do_POST = do_PUT = _any  # noqa: N815 -- their names there

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name there
                pass

        servers.append(Server(0, Handler))
        return f"http://127.0.0.1:{servers[-1].port}"

    yield start
    for server in servers:
        server.stop()


def bad(findings: Iterable[Finding]) -> dict[str, str]:
    """What is wrong, by what was looked at. Each has a remedy, or the doctor is of no use."""
    found = [finding for finding in findings if not finding.ok]
    assert all(finding.remedy for finding in found), found
    return {finding.what: finding.said for finding in found}
