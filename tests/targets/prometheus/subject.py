"""Prometheus as the conformance suite sees it: files on the disk, and the rules and jobs that it uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from gitops_agent.model import Files
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.targets.supervised import Supervised, get_once_ready


def main(*jobs: str) -> bytes:
    listed = "".join(f"  - job_name: {job}\n" for job in jobs)
    return f"global: {{scrape_interval: 1h}}\nrule_files: [rules/*.yml]\nscrape_configs:\n{listed}".encode()


def rules(group: str, expression: str, labels: str = "") -> bytes:
    extra = f"        labels: {{{labels}}}\n" if labels else ""
    return f"groups:\n  - name: {group}\n    rules:\n      - record: job:{group}\n        expr: {expression}\n{extra}".encode()


class PrometheusSubject(AilingSubject):
    """`switch`, on this host, reloaded over HTTP."""

    kind = "prometheus"
    kill_every = 3  # publishing is killed at each call in tests/targets/test_files.py
    publish = "switch"
    first: ClassVar[Files] = {
        "prometheus.yml": main("own", "nodes"),
        "rules/a.yml": rules("a", "sum(up)", "severity: page"),
        "rules/b.yml": rules("b", "count(up)"),
    }
    second: ClassVar[Files] = {
        "prometheus.yml": main("own", "nodes"),
        "rules/a.yml": rules("a", "max(up)", "severity: page"),
        "rules/c.yml": rules("c", "min(up)"),
    }
    without: ClassVar[Files] = {**first, "rules/a.yml": rules("a", "sum(up)")}
    garbage: ClassVar[Mapping[str, Files]] = {
        "no YAML": {**first, "prometheus.yml": b"global: ["},
        "an unknown field": {**first, "prometheus.yml": b"scrape_configs:\n  - job_nme: a\n"},
        "a job twice": {**first, "prometheus.yml": main("own", "own")},
        "an expression cut off": {**first, "rules/b.yml": rules("b", "sum((")},
        "an unknown field in a rule": {**first, "rules/b.yml": b"groups:\n  - name: b\n    rules:\n      - recod: x\n"},
        "a rule file that is not there": {**first, "prometheus.yml": b"rule_files: [one.yml]\n"},
    }

    def __init__(self, directory: Path, binary: Callable[[str], str], port: int) -> None:
        super().__init__(directory)
        self.binary = binary
        self.url = f"http://127.0.0.1:{port}"
        self.published = directory / "published"
        config = self.live / "prometheus.yml"
        self.server = Supervised(
            [
                binary("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={directory}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                *self.flags,
            ],
            config,
            directory / "prometheus.log",
        )

    flags: ClassVar[tuple[str, ...]] = ("--web.enable-lifecycle",)

    @property
    def live(self) -> Path:
        return self.published / "current"

    def settings(self) -> dict[str, Any]:
        return {
            "directory": str(self.published),
            "publish": self.publish,
            "address": self.url,
            "check": [self.binary("promtool"), "check", "config", "{staged}/{config}"],
            "secrets": ["file:*"],
        }

    def look(self) -> Mapping[str, Seen]:
        found = {}
        for path in sorted(self.live.rglob("*")):
            below = path.relative_to(self.live)
            if path.is_file() and ".gitops-agent" not in below.parts:
                status = path.stat()
                found[f"disk:{below}"] = Seen(path.read_bytes(), (status.st_ino, status.st_mtime_ns))
        if (self.live / "prometheus.yml").exists():
            found |= {f"loaded:{name}": Seen(content, None) for name, content in self.loaded().items()}
        return found

    def loaded(self) -> dict[str, Any]:
        answer = self.ask("/api/v1/rules")["data"]["groups"]
        used = {rule["name"]: (rule["query"], rule.get("labels", {})) for group in answer for rule in group["rules"]}
        config = self.ask("/api/v1/status/config")["data"]["yaml"]
        return {**used, "jobs": re.findall(r"job_name: (\S+)", config)}

    def ask(self, path: str) -> Any:
        return get_once_ready(self.url + path, f"{self.url}/-/ready")

    def expected(self, files: Files) -> Mapping[str, Any]:
        loaded: dict[str, Any] = {}
        for path, content in files.items():
            text = content.decode()
            if path.startswith("rules/"):
                labels = {"severity": "page"} if "severity: page" in text else {}
                loaded["loaded:job:" + path[6]] = (re.findall(r"expr: (.+)", text)[0], labels)
            elif path == "prometheus.yml":
                loaded["loaded:jobs"] = re.findall(r"job_name: (\S+)", text)
        return {**{f"disk:{path}": content for path, content in files.items()}, **loaded}

    def tamper(self) -> None:
        with (self.live / "rules/a.yml").open("ab") as file:
            file.write(b"# by hand\n")

    def vandalise(self) -> None:
        (self.live / "rules/b.yml").unlink()

    def with_secret(self, placeholder: str) -> Files:
        return {**self.first, "password": placeholder.encode()}

    @contextmanager
    def ailing(self) -> Iterator[None]:
        with self.server.down():
            yield


class InPlaceSubject(PrometheusSubject, AdoptableSubject):
    """`in-place`, beside a file of somebody else, without the reload endpoint: told with SIGHUP."""

    publish = "in-place"
    flags = ()

    def __init__(self, directory: Path, binary: Callable[[str], str], port: int) -> None:
        super().__init__(directory, binary, port)
        self.published.mkdir()
        (self.published / "theirs.json").write_bytes(b"[]\n")

    @property
    def live(self) -> Path:
        return self.published

    def settings(self) -> dict[str, Any]:
        running = f"test ! -s {self.server.pid_file} || kill -HUP $(cat {self.server.pid_file})"
        return {**super().settings(), "reload": ["sh", "-c", running]}

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"disk:theirs.json"})

    def plant(self, files: Files) -> None:
        for path, content in files.items():
            (self.live / path).parent.mkdir(parents=True, exist_ok=True)
            (self.live / path).write_bytes(content)
