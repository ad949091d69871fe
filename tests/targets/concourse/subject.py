"""Concourse as the conformance suite sees it: one team, in which others have pipelines too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from gitops_agent.model import Files
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.targets.concourse.server import TEAM, ConcourseServer
from tests.targets.proxy import Proxy


def pipeline(text: str, *, serial: bool = False, **params: str) -> bytes:
    """One job with one task."""
    lines = "".join(f"\n          {name}: {value}" for name, value in params.items())
    return f"""\
jobs:
- name: build
  serial: {"true" if serial else "false"}
  plan:
  - task: say
    config:
      platform: linux
      rootfs_uri: raw:///
      params:{lines or " {}"}
      run: {{path: echo, args: [{text}]}}
""".encode()


_TEAM = b"order: [web, app]\npaused: [nightly]\nexposed: [web]\n"
_FIRST = {
    "README.md": b"what is built here\n",
    f"{TEAM}.yml": _TEAM,
    f"{TEAM}/app.yml": pipeline("app", serial=True, LEVEL="3"),
    f"{TEAM}/nightly.yaml": pipeline("nightly"),
    f"{TEAM}/web.yml": pipeline("web"),
}
_WITHOUT = {**_FIRST, f"{TEAM}/app.yml": pipeline("app", serial=True)}
_SECOND = {
    **{path: content for path, content in _FIRST.items() if "nightly" not in path},
    f"{TEAM}.yml": b"order: [extra, app, web]\nexposed: [app]\n",
    f"{TEAM}/app.yml": pipeline("app-two", LEVEL="3"),
    f"{TEAM}/extra.yml": pipeline("extra"),
}
_THEIRS, _OTHERS = "theirs", "of-another-environment"


def _shown(text: str, *, serial: bool = False, paused: bool = False, exposed: bool = False, **params: str) -> Any:
    return {"says": [text], "serial": serial, "params": params, "paused": paused, "exposed": exposed}


class ConcourseSubject(AdoptableSubject, AilingSubject):
    kind = "concourse"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "no YAML": {**_FIRST, f"{TEAM}/app.yml": b"jobs: [\n"},
        "no jobs": {**_FIRST, f"{TEAM}/app.yml": b"resources: []\n"},
        "an unknown field": {**_FIRST, f"{TEAM}/app.yml": pipeline("app").replace(b"serial:", b"seriel:")},
        "an unknown resource": {**_FIRST, f"{TEAM}/app.yml": b"jobs: [{name: build, plan: [{get: repo}]}]\n"},
        "of a new pipeline": {**_FIRST, f"{TEAM}/new.yml": b"jobs: [{name: build, plan: [{get: repo}]}]\n"},
        "a job twice": {**_FIRST, f"{TEAM}/app.yml": pipeline("app") + pipeline("app").removeprefix(b"jobs:\n")},
        "the agent's mark": {**_FIRST, f"{TEAM}/app.yml": pipeline("app") + b"user_data: {gitops-agent: {environment: x}}\n"},
        "a pipeline twice": {**_FIRST, f"{TEAM}/app.yaml": pipeline("app")},
        "order of nothing": {**_FIRST, f"{TEAM}.yml": b"order: [wep]\n"},
        "too deep": {**_FIRST, f"{TEAM}/more/app.yml": pipeline("app")},
        "a typo in a file's name": {**_FIRST, f"{TEAM}/app.yalm": b""},
    }

    def __init__(self, directory: Path, server: ConcourseServer, proxy: Proxy) -> None:
        super().__init__(directory)
        self._server = server
        self._proxy = proxy
        self._secret = directory / "secret"
        self._secret.write_text("Zmx5\n")
        server.set(_THEIRS, pipeline(_THEIRS))
        server.set(_OTHERS, pipeline(_OTHERS) + b"user_data: {gitops-agent: {environment: another}}\n")

    def settings(self) -> dict[str, Any]:
        secret_file = str(self._secret)
        return {"address": self._proxy.url, "client": "fly", "password_file": secret_file, "timeout": 10, "secrets": ["file:*"]}

    def look(self) -> Mapping[str, Seen]:
        seen: dict[str, Seen] = {}
        rows = [row for row in self._server.rows() if not row["archived"]]
        for row in rows:
            config, version = self._server.config(row["name"])
            (job,) = config["jobs"]
            task = job["plan"][0]["config"]
            content = {"says": task["run"]["args"], "serial": job.get("serial", False), "params": task.get("params", {})}
            content |= {"paused": row["paused"], "exposed": row["public"]}
            seen[row["name"]] = Seen(content, (version, row["paused"], row["public"], row.get("user_data")))
        order = [row["name"] for row in rows if row["name"] not in {*self.bystanders, "nightly"}]
        return {**seen, "order": Seen(order, order)} if order else seen

    def expected(self, files: Files) -> Mapping[str, Any]:
        app = _shown("app", serial=True, LEVEL="3")
        if files == _SECOND:
            changed = {"app": _shown("app-two", LEVEL="3", exposed=True), "extra": _shown("extra"), "web": _shown("web")}
            return {**changed, "order": ["extra", "app", "web"]}
        if files == _WITHOUT:
            app["params"] = {}
        rest = {"nightly": _shown("nightly", paused=True), "web": _shown("web", exposed=True)}
        return {"app": app, **rest, "order": ["web", "app"]}

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({_THEIRS, _OTHERS})

    def tamper(self) -> None:
        """As somebody does who gets a pipeline, edits it and sets it again."""
        config, _ = self._server.config("app")
        config["jobs"][0]["plan"][0]["config"]["run"]["args"] = ["by hand"]
        self._server.set("app", config)

    def vandalise(self) -> None:
        self._server.destroy("web")

    def plant(self, files: Files) -> None:
        for path, content in files.items():
            if "/" in path:
                name = path.rpartition("/")[2].partition(".")[0]
                self._server.set(name, content)
                shown = self.expected(files)[name]
                for action in ["unpause"] * (not shown["paused"]) + ["expose"] * shown["exposed"]:
                    self._server.act(name, action)
        self._server.order(list(self.expected(files)["order"]))

    @contextmanager
    def ailing(self) -> Iterator[None]:
        """Every worker is gone."""
        self._proxy.rewrite = lambda path, content: b"[]" if path.endswith("/workers") else content
        try:
            yield
        finally:
            self._proxy.rewrite = lambda _path, content: content

    def with_secret(self, placeholder: str) -> Files:
        return {**_FIRST, f"{TEAM}/app.yml": pipeline("app", LEVEL=f'"{placeholder}"')}

    def writes(self) -> int:
        return len([call for call in self._proxy.writes if "/sky/" not in call and "?vars=none" not in call])
