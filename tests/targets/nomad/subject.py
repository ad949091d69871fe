"""Nomad as the conformance suite sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from gitops_agent.model import Files
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.targets.nomad import folder
from tests.targets.nomad.server import NomadServer
from tests.targets.proxy import Proxy

_FIRST = {
    "README.md": b"what runs here\n",
    "web.nomad.hcl": folder.service(LOUD="yes"),
    "web.vars": b'greeting = "Hello"\n',
    "batch/nightly.hcl": folder.PERIODIC.encode(),
    "report.json": folder.in_json(folder.parameterized("report", FORMAT="pdf")),
    "variables.yaml": b"nomad/jobs/web:\n  motd: hello\n  port: 8080\n",
}
_WITHOUT = {**_FIRST, "web.nomad.hcl": folder.service()}
_SECOND = {
    **{path: content for path, content in _FIRST.items() if not path.startswith("batch/")},
    "web.vars": b'greeting = "Hello again"\n',
    "extra.json": folder.in_json(folder.parameterized("extra")),
    "variables.yaml": b"nomad/jobs/web/main:\n  motd: hello again\n",
}
_ENV: Mapping[str, Mapping[str, str]] = {
    "web": {"GREETING": "Hello", "LOUD": "yes"},
    "nightly": {},
    "report": {"FORMAT": "pdf"},
}
_VARIABLES = {"nomad/jobs/web": {"motd": "hello", "port": "8080"}}
_FOREIGN = "theirs"
_RECORD = "gitops-agent/other/nomad"


class NomadSubject(AdoptableSubject, AilingSubject):
    kind = "nomad"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "no HCL": {**_FIRST, "web.nomad.hcl": folder.service() + b"group {"},
        "an unknown argument": {**_FIRST, "web.nomad.hcl": folder.service().replace(b"count ", b"cuont ")},
        "a variable without a value": {path: content for path, content in _FIRST.items() if path != "web.vars"},
        "twice": {**_FIRST, "again.hcl": folder.PERIODIC.encode()},
        "two in a file": {**_FIRST, "batch/nightly.hcl": folder.PERIODIC.encode() + b'job "other" {\n}\n'},
        "no job": {**_FIRST, "none.hcl": b'group "a" {\n}\n'},
        "no JSON": {**_FIRST, "report.json": b'{"Job": '},
        "no groups": {**_FIRST, "report.json": b'{"ID": "report", "TaskGroups": []}'},
        "another namespace": {**_FIRST, "batch/nightly.hcl": folder.PERIODIC.replace("type ", 'namespace = "x"\n  type ').encode()},
        "variables of nothing": {**_FIRST, "wep.vars": b"a = 1\n"},
        "a variable that is none": {**_FIRST, "variables.yaml": b"nomad/jobs/web: motd\n"},
        "a variable of Nomad's own": {**_FIRST, "variables.yaml": b"nomad/web:\n  motd: hello\n"},
        "a brace too many": {**_FIRST, "web.nomad.hcl": folder.service() + b"}\n"},
        "a typo in a file's name": {**_FIRST, "web.hlc": b""},
    }
    patience: ClassVar[float] = 60

    def __init__(self, directory: Path, server: NomadServer, proxy: Proxy, token_file: Path) -> None:
        super().__init__(directory)
        self._server = server
        self._proxy = proxy
        self._token_file = token_file
        server.register(folder.parameterized(_FOREIGN))
        server.put_variable(_RECORD, owned="job:web")

    def settings(self) -> dict[str, Any]:
        return {"address": self._proxy.url, "token_file": str(self._token_file), "timeout": 10, "secrets": ["file:*"]}

    def look(self) -> Mapping[str, Seen]:
        seen = {name: Seen(_content(job), job["JobModifyIndex"]) for name, job in self._server.running().items()}
        for path in (row["Path"] for row in self._server.call("GET", "vars")):
            if path == _RECORD or not path.startswith("gitops-agent/"):
                variable = self._server.variable(path)
                seen[path] = Seen(variable["Items"], variable["ModifyIndex"])
        return seen

    def expected(self, files: Files) -> Mapping[str, Any]:
        env = dict(_ENV)
        if files == _SECOND:
            del env["nightly"]
            env |= {"web": {"GREETING": "Hello again", "LOUD": "yes"}, "extra": {}}
        if files == _WITHOUT:
            env["web"] = {"GREETING": "Hello"}
        jobs = {name: {"env": values, "meta": {}} for name, values in env.items()}
        return {**jobs, **({"nomad/jobs/web/main": {"motd": "hello again"}} if files == _SECOND else _VARIABLES)}

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({_FOREIGN, _RECORD})

    def tamper(self) -> None:
        self._server.register(folder.parameterized("report", FORMAT="html"))

    def vandalise(self) -> None:
        self._server.stop("nightly")

    def plant(self, files: Files) -> None:
        for path, content in files.items():
            if path.endswith(".hcl"):
                variables = files["web.vars"].decode() if path.startswith("web") else ""
                self._server.register(self._server.parse(content.decode(), variables))
        for path in (path for path in files if path.endswith(".json")):
            name = path.removesuffix(".json")
            self._server.register(folder.parameterized(name, **self.expected(files)[name]["env"]))
        for path, items in self.expected(files).items():
            if path.startswith("nomad/"):
                self._server.put_variable(path, **items)

    @contextmanager
    def ailing(self) -> Iterator[None]:
        """Something else answers in the place of Nomad."""
        proxied = self._proxy.rewrite
        self._proxy.rewrite = lambda _path, _content: b"<html>no Nomad</html>"
        try:
            yield
        finally:
            self._proxy.rewrite = proxied

    def with_secret(self, placeholder: str) -> Files:
        return {**_FIRST, "web.nomad.hcl": folder.service(PASSWORD=placeholder)}

    def writes(self) -> int:
        return len([call for call in self._proxy.writes if not call.partition("?")[0].endswith(("/plan", "/parse"))])


def _content(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the jobs of this folder differ in, and where nothing of the agent's may be."""
    (group,) = job["TaskGroups"]
    (task,) = group["Tasks"]
    return {"env": task["Env"] or {}, "meta": {**(job["Meta"] or {}), **(group["Meta"] or {}), **(task["Meta"] or {})}}
