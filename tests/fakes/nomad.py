"""A Nomad as far as the agent needs one: jobs, plans, variables, namespaces, ACL policies, roles and tokens.

Honest where it matters: EnforceIndex and check-and-set are checked against what is stored under one lock, plans are differences to
what is stored, and a token may do what its policy says. tests/targets/nomad/test_recorded.py asks it what real ones were asked.
It runs nothing: allocations are healthy at once unless `sick` names their job.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.http import Server
from tests.fakes.nomad_acl import ANONYMOUS, Acl
from tests.fakes.nomad_hcl import HclError, job_from
from tests.fakes.nomad_nodes import Nodes
from tests.fakes.nomad_state import State
from tests.fakes.nomad_things import Refused

_OPEN: dict[str, Callable[[Nodes], Any]] = {"/v1/status/leader": lambda nodes: nodes.leader, "/.well-known/jwks.json": Nodes.keys}
"""What needs no token."""
MANAGEMENT = "00000000-1111-2222-3333-444444444444"
Json = Any


class FakeNomad:
    def __init__(self) -> None:
        self.state = State()
        self.acl = Acl(self.state, MANAGEMENT)
        self.tokens = self.acl.tokens
        self.nodes = Nodes()
        self.guard = threading.Condition()
        self._server = Server(0, type("Handler", (_Handler,), {"fake": self}))
        self.url = f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> FakeNomad:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def lose(self) -> None:
        """All that it kept. Its ACLs are on, and have not begun."""
        self.state = State()
        self.acl = Acl(self.state)
        self.tokens = self.acl.tokens

    def answer(self, method: str, path: str, query: dict[str, str], body: Json, token: str) -> Json:
        """Raises Refused with the status and text of a real one."""
        if path in _OPEN:
            return _OPEN[path](self.nodes)
        if path == "/v1/acl/bootstrap":
            return self.acl.begin(body)
        if path == "/v1/acl/token/self" and not token:
            return ANONYMOUS
        parts = path.removeprefix("/v1/").split("/", 1)
        handle: Callable[..., Json] = getattr(self, f"_{parts[0]}")
        management = token in self.acl.management
        if not management and token not in self.tokens:
            raise Refused(403, "Permission denied" if not token or len(token) == 36 else "ACL token not found")
        self._allowed: frozenset[str] | str = MANAGEMENT if management else self.tokens[token]
        return handle(method, parts[1] if len(parts) > 1 else "", query, body)

    def _may(self, what: str) -> None:
        if self._allowed != MANAGEMENT and what not in self._allowed:
            raise Refused(403, "Permission denied")

    def _jobs(self, method: str, rest: str, query: dict[str, str], body: Json) -> Json:
        if rest == "parse":
            self._may("parse-job")
            try:
                return job_from(body["JobHCL"], body.get("Variables") or "")
            except HclError as error:
                raise Refused(400, f"Failed to parse job: {error}") from None
        if method == "GET":
            self._may("list-jobs")
            self._wait(query)
            return self.state.rows(query.get("namespace", "default"))
        self._may("submit-job")
        return self.state.register(body)

    def _job(self, method: str, rest: str, query: dict[str, str], body: Json) -> Json:
        name, _, what = rest.partition("/")
        if method == "DELETE":
            self._may("submit-job")
            return self.state.deregister(name, purge=query.get("purge") == "true")
        if what == "plan":
            self._may("submit-job")
            return self.state.plan(body["Job"])
        self._may("read-job")
        if what == "submission":
            return self.state.submission(name, int(query["version"]))
        return self.state.allocations(name) if what == "allocations" else self.state.job(name)

    def _evaluation(self, _method: str, rest: str, _query: dict[str, str], _body: Json) -> Json:
        self._may("read-job")
        return self.state.evaluations[rest]

    def _deployments(self, _method: str, _rest: str, _query: dict[str, str], _body: Json) -> Json:
        self._may("read-job")
        return self.state.deployments

    def _vars(self, _method: str, _rest: str, query: dict[str, str], _body: Json) -> Json:
        """What the token may not list is left out without a word."""
        listed = ("Path", "Namespace", "CreateIndex", "CreateTime", "ModifyIndex", "ModifyTime", "Lock")
        return [
            {name: variable[name] for name in listed if name in variable}
            for (namespace, path), variable in self.state.variables.items()
            if query.get("namespace", "default") in (namespace, "*")
            if self._may_variable("list", path) or self._may_variable("read", path)
        ]

    def _var(self, method: str, rest: str, query: dict[str, str], body: Json) -> Json:
        if not self._may_variable({"GET": "read", "PUT": "write", "DELETE": "destroy"}[method], rest):
            raise Refused(403, "Permission denied")
        cas = None if "cas" not in query else int(query["cas"])
        namespace = query.get("namespace", "default")
        if method == "GET":
            return self.state.variable(namespace, rest)
        if method == "DELETE":
            return self.state.delete_variable(namespace, rest, cas)
        if "lock-release" in query:
            return self.state.variable(namespace, rest).pop("Lock")
        return self.state.put_variable(namespace, rest, body, cas)

    def _may_variable(self, what: str, path: str) -> bool:
        if self._allowed == MANAGEMENT:
            return True
        rules = [rule.split(":") for rule in self._allowed if rule.startswith(f"var:{what}:")]
        return any(fnmatchcase(path, pattern) for _, _, pattern in rules)

    def _namespaces(self, _method: str, _rest: str, _query: dict[str, str], _body: Json) -> Json:
        """A token without rights sees none."""
        return [*self.state.namespaces.things.values()] if self._allowed == MANAGEMENT else []

    def _namespace(self, method: str, rest: str, _query: dict[str, str], body: Json) -> Json:
        self._may("namespace:write")
        if method == "DELETE":
            if any(job["Namespace"] == rest for job in self.state.jobs.values()):
                raise Refused(500, f'1 error occurred:\n\t* namespace "{rest}" has non-terminal jobs in regions: [global]\n\n')
            return self.state.namespaces.delete(rest, 500, "namespace not found")
        if method == "GET":
            return self.state.namespaces.one(rest, "Namespace not found")
        return self.state.namespaces.put({"Description": "", "Meta": None, "Capabilities": None, **body})

    def _acl(self, method: str, rest: str, query: dict[str, str], body: Json) -> Json:
        return self.acl.answer(method, rest, body, self._allowed == MANAGEMENT)

    def _nodes(self, _method: str, _rest: str, _query: dict[str, str], _body: Json) -> Json:
        self._may("node:read")
        return self.nodes.rows()

    def _node(self, _method: str, rest: str, _query: dict[str, str], _body: Json) -> Json:
        self._may("node:read")
        return self.nodes.one(rest)

    def _wait(self, query: dict[str, str]) -> None:
        """A blocking query."""
        if "wait" in query:
            seconds = float(query["wait"].removesuffix("s"))
            self.guard.wait_for(lambda: self.state.jobs_index > int(query["index"]), timeout=seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: ClassVar[FakeNomad]

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        with self.fake.guard:
            try:
                body = json.loads(content) if content else None
                said = self.fake.answer(self.command, parts.path, query, body, self.headers.get("X-Nomad-Token", ""))
                status, text = 200, json.dumps(said)
                if said is None:
                    status, text = (204, "") if self.command == "DELETE" and parts.path.startswith("/v1/var/") else (200, "")
            except Refused as refusal:
                status, text = refusal.status, refusal.text
            index = self.fake.state.jobs_index
            self.fake.guard.notify_all()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.send_header("X-Nomad-Index", str(max(1, index)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 -- the names http.server asks for

    def log_message(self, *_: object) -> None:
        pass
