"""A Concourse as far as the agent needs one: logins, roles, pipelines with config versions, one-off builds and their events.

It does what 8.2.5 was seen doing, oddities included: tests/concourse/test_recorded.py asks it what the real one was asked. Config
versions are checked under one lock, a stream of events stays open after its end, and tasks of builds really run.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from tests.fakes.concourse_builds import Build
from tests.fakes.concourse_pipelines import Pipelines, Reply
from tests.fakes.http import Server

Json = Any
USER, PASSWORD = "live", "live-pw"
_RANK = ("viewer", "pipeline-operator", "member", "owner")


class FakeConcourse:
    def __init__(self) -> None:
        self.users = {USER: PASSWORD}
        self.clients = {"fly": "Zmx5", "agent": "agent-secret"}
        self.roles: dict[tuple[str, str], str] = {(f"local:{USER}", "main"): "owner", ("client:agent", "main"): "member"}
        self.tokens: dict[str, str] = {}
        """Identities, such as `local:live`, by token."""
        self.lifetime = 86399
        self.workers = True
        self.stalled = False
        """Whether web has heard nothing of the worker for a while."""
        self.one_off = True
        """Whether one-off builds are allowed to members; an operator may keep them to owners."""
        self.pipelines = Pipelines({"main"})
        self.builds: dict[int, Build] = {}
        self.artifacts: dict[int, bytes] = {}
        self.calls: list[str] = []
        self.break_streams = 0
        """So many streams of events are cut off after one event."""
        self.guard = threading.RLock()
        self._port = 0
        self.begin()
        self.url = f"http://127.0.0.1:{self._port}"

    def begin(self) -> None:
        """Answers again, on the same port; builds went on meanwhile."""
        self._server = Server(self._port, type("Handler", (_Handler,), {"fake": self}))
        self._port = self._server.port

    def stop(self) -> None:
        """As a web node that is restarted: connections end, builds go on."""
        self._server.stop()

    def __enter__(self) -> FakeConcourse:
        return self

    def __exit__(self, *_: object) -> None:
        for build in self.builds.values():
            build.abort()
            build.thread.join(10)
        self.stop()

    def log_in(self, authorization: str, body: bytes) -> Reply:
        client, _, password = base64.b64decode(authorization.partition(" ")[2]).decode().partition(":")
        if self.clients.get(unquote(client)) != unquote(password):
            return Reply(401, {"error": "invalid_client", "error_description": "Invalid client credentials."})
        asked = dict(parse_qsl(body.decode()))
        identity = f"client:{client}"
        if asked["grant_type"] == "password":
            if self.users.get(asked["username"]) != asked["password"]:
                return Reply(401, {"error": "access_denied", "error_description": "Invalid username or password"})
            identity = f"local:{asked['username']}"
        token = secrets.token_urlsafe(24)
        self.tokens[token] = identity
        return Reply(200, {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime})

    def answer(self, method: str, url: str, headers: Json, body: bytes) -> Reply:
        parts = urlsplit(url)
        with self.guard:
            self.calls.append(f"{method} {url}")
            if parts.path == "/sky/issuer/token":
                return self.log_in(headers.get("Authorization", ""), body)
            if parts.path == "/api/v1/info":
                return Reply(200, {"version": "8.2.5", "worker_version": "2.5", "external_url": self.url})
            who = self.tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))
            if who is None:
                return Reply(401, text="not authorized")
            steps = [unquote(step) for step in parts.path.removeprefix("/api/v1/").split("/")]
            return self._route(method, steps, parse_qs(parts.query), headers, body, who)

    def _route(self, method: str, steps: list[str], query: Json, headers: Json, body: bytes, who: str) -> Reply:
        match [method, *steps]:
            case ["GET", "user"]:
                teams = {team: [role] for (name, team), role in self.roles.items() if name == who}
                return Reply(200, {"user_id": who, "is_admin": "owner" in teams.get("main", []), "teams": teams})
            case ["GET", "workers"]:
                worker = {"name": "live-worker", "state": "stalled" if self.stalled else "running", "version": "2.5"}
                return Reply(200, [worker] if self.workers else [])
            case ["GET", "pipelines"]:
                admin = self._may(who, "main", "owner")
                seen = [team for (name, team) in self.roles if admin or name == who]
                return Reply(200, [row for row in self.pipelines.rows() if row["team_name"] in seen])
            case [_, "builds", number, *rest]:
                return self._build(method, int(number), rest, who)
            case ["PUT", "teams", team] if self._may(who, "main", "owner"):
                return self._set_team(team, json.loads(body)["auth"])
            case ["GET", "teams", team] if self._may(who, "main", "owner"):
                return Reply(200, {"name": team}) if team in self.pipelines.teams else Reply(404)
            case [_, "teams", team, *rest]:
                return self._team(method, team, rest, query, headers, body, who)
        return Reply(404)

    def _set_team(self, team: str, auth: Json) -> Reply:
        self.pipelines.teams.add(team)
        self.roles = {key: role for key, role in self.roles.items() if key[1] != team}
        self.roles |= {(user, team): role for role, members in auth.items() for user in members["users"]}
        return Reply(201, {"team": {"name": team, "auth": auth}})

    def _team(self, method: str, team: str, rest: list[str], query: Json, headers: Json, body: bytes, who: str) -> Reply:
        if not self._may(who, team, "viewer" if method == "GET" else "member"):
            return Reply(403, text="forbidden")
        if rest[2:3] == ["resources"] and rest[4:] == ["check"] and method == "POST":
            return Reply(201, {"id": 0, "status": "started", "resource_name": rest[3]})
        if rest[2:3] == ["jobs"] and rest[4:] == ["builds"] and method == "POST":
            return self._trigger(team, rest[1], rest[3])
        if rest == ["artifacts"] and method == "POST":
            return self._upload(query["platform"][0], body)
        if rest[-1:] == ["builds"] and method == "POST":
            if not self.one_off:
                return Reply(403, text="forbidden")
            return self._start(team, rest[1] if rest[0] == "pipelines" else "", json.loads(body))
        return self.pipelines.answer(method, team, rest[1:], query, headers, body)

    def _upload(self, platform: str, body: bytes) -> Reply:
        if not self.workers or platform != "linux":
            return Reply(500, text=f"no workers satisfying: platform '{platform}', version: '2.5'\n")
        number = len(self.artifacts) + 1
        self.artifacts[number] = body
        return Reply(201, {"id": number, "name": "", "build_id": 0, "created_at": int(time.time())})

    def _start(self, team: str, pipeline: str, plan: Json) -> Reply:
        names: Json = {"team_name": team, "start_time": int(time.time())}
        if pipeline:
            if not self.pipelines.exists(team, pipeline):
                return Reply(404)
            names |= {"pipeline_id": self.pipelines.number(team, pipeline), "pipeline_name": pipeline}
        number = len(self.builds) + 1
        self.builds[number] = build = Build(number, plan, names, self.artifacts, workers=self.workers)
        return Reply(201, {**build.to_json(), "status": "started"})

    def _trigger(self, team: str, pipeline: str, job: str) -> Reply:
        """As if each pinned version was found at once."""
        config = self.pipelines.all[team, pipeline].config
        sources = {resource["name"]: resource["source"] for resource in config["resources"]}
        steps: list[Json] = []
        for step in next(each for each in config["jobs"] if each["name"] == job)["plan"]:
            if "get" in step:
                steps.append({"get": {**step, "name": step["get"], "source": sources[step["get"]]}})
            else:
                steps.append({"task": {"name": step["task"], "config": step["config"]}})
        plan = {"do": [{"id": str(number), **step} for number, step in enumerate(steps)]}
        return Reply(200, self._start(team, pipeline, plan).json)

    def _build(self, method: str, number: int, rest: list[str], who: str) -> Reply:
        build = self.builds.get(number)
        if build is None:
            return Reply(404)
        if not self._may(who, build.names["team_name"], "viewer" if method == "GET" else "pipeline-operator"):
            return Reply(403, text="forbidden")
        if rest == ["abort"]:
            build.abort()
            return Reply(204)
        return Reply(200, build.to_json()) if not rest else Reply(200, stream=build)

    def _may(self, who: str, team: str, role: str) -> bool:
        held = self.roles.get((who, team)) or ("owner" if self.roles.get((who, "main")) == "owner" else "")
        return held in _RANK and _RANK.index(held) >= _RANK.index(role)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer takes the 40 ms of a delayed acknowledgement
    fake: ClassVar[FakeConcourse]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.fake.answer(self.command, self.path, self.headers, body)
        if reply.stream is not None:
            with suppress(ConnectionError):
                self._stream(reply.stream)
            self.close_connection = True
            return
        content = reply.text.encode() if reply.json is None else json.dumps(reply.json).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, build: Build) -> None:
        """Headers come with the first event; after the end the connection stays until the client has enough."""
        number = int(self.headers.get("Last-Event-ID", "-1")) + 1
        started = False
        while True:
            with build.changed:
                while len(build.events) <= number and not build.ended:
                    build.changed.wait()
                event = build.events[number] if number < len(build.events) else None
            if not started:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream; charset=utf-8")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                started = True
            if event is None:
                self._chunk(f"id: {number}\nevent: end\ndata\n\n")
                self.connection.recv(1)
                return
            self._chunk(f"id: {number}\nevent: event\ndata: {json.dumps(event)}\n\n")
            number += 1
            if self.fake.break_streams > 0:
                self.fake.break_streams -= 1
                return

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 -- the names http.server asks for

    def log_message(self, *_: object) -> None:
        pass
