"""Consul under the suite that every kind passes, with the shipped policy and nothing more."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.model import Files
from tests.conformance.adoption import Adoption
from tests.conformance.events import Events, Sickness
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.conformance.suite import Conformance
from tests.targets.consul.server import ConsulServer
from tests.targets.proxy import Proxy

_FIRST = {
    "kv.yaml": b"motd: Hello\napp:\n  replicas: 3\n  ports: !json [80, 443]\n",
    "kv/app/banner.txt": b"welcome\nand goodbye\n",
}
_WITHOUT = {**_FIRST, "kv/app/banner.txt": b"welcome\n"}
_SECOND = {
    "kv.yaml": b"motd: Hello again\napp:\n  ports: !json [80, 443]\n  debug: true\n",
    "kv/app/banner.txt": b"welcome\nand goodbye\n",
}
_VALUES: Mapping[str, bytes] = {
    "motd": b"Hello",
    "app/replicas": b"3",
    "app/ports": b"[80, 443]",
    "app/banner.txt": b"welcome\nand goodbye\n",
}
_FOREIGN = {
    "conformance/somebody/elses": b"theirs",
    "elsewhere/entirely": b"also theirs",
    "gitops-agent/other/consul": b'{"conformance/":["motd"]}',
}


class ConsulSubject(AdoptableSubject, AilingSubject):
    kind = "consul"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "no YAML": {**_FIRST, "kv.yaml": b"motd: [Hello\n"},
        "twice": {**_FIRST, "kv-more.yaml": b"motd: Hello\n"},
        "a typo in a file's name": {**_FIRST, "kvs.yaml": b"a: b\n"},
        "no value": {**_FIRST, "kv.yaml": b"motd:\n"},
        "too large": {**_FIRST, "kv/large": b"x" * (512 * 1024 + 1)},
        "a key nobody could read": {**_FIRST, "kv.yaml": b"a/../b: c\n"},
    }

    def __init__(self, directory: Path, server: ConsulServer, proxy: Proxy, token_file: Path) -> None:
        super().__init__(directory)
        self._server = server
        self._proxy = proxy
        self._token_file = token_file
        for key, value in _FOREIGN.items():
            server.put(key, value)

    def settings(self) -> dict[str, Any]:
        return {"address": self._proxy.url, "token_file": str(self._token_file), "timeout": 1, "secrets": ["file:*"]}

    def look(self) -> Mapping[str, Seen]:
        return {key: Seen(*seen) for key, seen in self._server.keys().items() if key != "gitops-agent/conformance/consul"}

    def expected(self, files: Files) -> Mapping[str, Any]:
        values = dict(_VALUES)
        if files == _SECOND:
            del values["app/replicas"]
            values |= {"motd": b"Hello again", "app/debug": b"true"}
        if files == _WITHOUT:
            values["app/banner.txt"] = b"welcome\n"
        return {f"conformance/{key}": value for key, value in values.items()}

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset(_FOREIGN)

    def tamper(self) -> None:
        self._server.put("conformance/motd", "Hello from the UI")

    def vandalise(self) -> None:
        self._server.delete("conformance/app/replicas")

    def plant(self, files: Files) -> None:
        for key, value in self.expected(files).items():
            self._server.put(key, value)

    @contextmanager
    def ailing(self) -> Iterator[None]:
        self._server.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.process.send_signal(signal.SIGCONT)

    def with_secret(self, placeholder: str) -> Files:
        return {**_FIRST, "kv-secret.yaml": f"app: {{password: '{placeholder}'}}\n".encode()}

    def writes(self) -> int:
        return len(self._proxy.writes)


class TestConsul(Conformance, Adoption, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, consul: ConsulServer, proxy: Proxy, token_file: Path) -> ConsulSubject:
        return ConsulSubject(tmp_path, consul, proxy, token_file)
