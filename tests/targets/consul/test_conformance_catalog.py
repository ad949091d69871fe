"""The suite again, for config entries and external services, with the policy that is shipped for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.model import Files
from tests.conformance.adoption import Adoption
from tests.conformance.converge import converge
from tests.conformance.subject import AdoptableSubject, Seen
from tests.conformance.suite import Conformance
from tests.targets.consul.conftest import ENVIRONMENT
from tests.targets.consul.server import ConsulServer
from tests.targets.proxy import Proxy

_POSTGRES = {"address": "10.0.0.5", "services": {"postgres": {"port": 5432, "tags": ["primary"]}, "bouncer": {"port": 6432}}}
_PRINTER = {"address": "10.0.0.9", "services": {"print": {"port": 631, "meta": {"floor": "2"}}}}
_FIRST: Files = {
    "config-entries/web.yaml": b"Kind: service-defaults\nName: web\nProtocol: http\nMeta: {team: a}\n",
    "config-entries/resolver.json": b'{"Kind": "service-resolver", "Name": "web", "ConnectTimeout": "90s"}',
    "nodes.yaml": json.dumps({"db-host": _POSTGRES, "printer": _PRINTER}).encode(),
}
_SECOND: Files = {
    **_FIRST,
    "config-entries/web.yaml": b"Kind: service-defaults\nName: web\nProtocol: tcp\n",
    "config-entries/api.yaml": b"Kind: service-defaults\nName: api\nProtocol: tcp\n",
    "nodes.yaml": json.dumps(
        {"db-host": {**_POSTGRES, "services": {"postgres": {"port": 5433}, "pgadmin": {"port": 80}}}}
    ).encode(),
}
_WITHOUT: Files = {**_FIRST, "config-entries/web.yaml": b"Kind: service-defaults\nName: web\nProtocol: http\n"}


class CatalogSubject(AdoptableSubject):
    kind = "consul"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "no such kind": {**_FIRST, "config-entries/x.yaml": b"Kind: service-default\nName: web\n"},
        "no name": {**_FIRST, "config-entries/x.yaml": b"Kind: service-defaults\n"},
        "the same twice": {**_FIRST, "config-entries/x.yaml": _FIRST["config-entries/web.yaml"]},
        "a node of Consul's": {**_FIRST, "nodes.yaml": b"test: {address: 10.0.0.1, services: {x: {port: 1}}}\n"},
        "a port that is none": {**_FIRST, "nodes.yaml": b"db: {address: 10.0.0.1, services: {x: {port: 99999}}}\n"},
        "a node that serves nothing": {**_FIRST, "nodes.yaml": b"db: {address: 10.0.0.1, services: {}}\n"},
    }

    def __init__(self, directory: Path, server: ConsulServer, proxy: Proxy, token_file: Path) -> None:
        super().__init__(directory)
        self._server = server
        self._proxy = proxy
        self._token_file = token_file
        server.call("PUT", "/v1/config", {"Kind": "service-defaults", "Name": "foreign", "Protocol": "http"})
        node = {
            "Node": "foreign",
            "Address": "10.9.9.9",
            "NodeMeta": {"external-node": "true"},
            "Service": {"Service": "x", "Port": 1},
        }
        server.call("PUT", "/v1/catalog/register", node)

    def settings(self) -> dict[str, Any]:
        return {"address": self._proxy.url, "token_file": str(self._token_file), "timeout": 5, "secrets": ["file:*"]}

    def look(self) -> Mapping[str, Seen]:
        seen = {}
        for name, entry in self._server.config().items():
            content = {field: value for field, value in entry.items() if field in ("Protocol", "Meta", "ConnectTimeout") and value}
            seen[f"config {name}"] = Seen(content, entry["ModifyIndex"])
        for node in self._server.nodes():
            found = self._server.call("GET", f"/v1/catalog/node/{node}")
            services = {name: (one["Port"], one["Tags"], one["Meta"] or {}) for name, one in found["Services"].items()}
            versions = (found["Node"]["ModifyIndex"], [one["ModifyIndex"] for one in found["Services"].values()])
            seen[f"node {node}"] = Seen((found["Node"]["Address"], services), versions)
        return seen

    def expected(self, files: Files) -> Mapping[str, Any]:
        resolver = {"config service-resolver/web": {"ConnectTimeout": "1m30s"}}
        if files == _SECOND:
            services = {"postgres": (5433, [], {}), "pgadmin": (80, [], {})}
            defaults = {f"config service-defaults/{name}": {"Protocol": "tcp"} for name in ("web", "api")}
            return {**resolver, **defaults, "node db-host": ("10.0.0.5", services)}
        services = {"postgres": (5432, ["primary"], {}), "bouncer": (6432, [], {})}
        meta = {} if files == _WITHOUT else {"Meta": {"team": "a"}}
        nodes = {"node db-host": ("10.0.0.5", services), "node printer": ("10.0.0.9", {"print": (631, [], {"floor": "2"})})}
        return {**resolver, **nodes, "config service-defaults/web": {"Protocol": "http", **meta}}

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"config service-defaults/foreign", "node foreign"})

    def tamper(self) -> None:
        """As `consul config write` does: the whole entry."""
        self._server.call("PUT", "/v1/config", {"Kind": "service-resolver", "Name": "web", "ConnectTimeout": "1s"})

    def vandalise(self) -> None:
        self._server.call("PUT", "/v1/catalog/deregister", {"Node": "db-host", "ServiceID": "bouncer"})

    def plant(self, files: Files) -> None:
        """By the agent itself, which is made to forget."""
        converge(self.target(), files)
        self._server.delete(f"gitops-agent/{ENVIRONMENT}/consul")

    def with_secret(self, placeholder: str) -> Files:
        return {**_FIRST, "config-entries/web.yaml": f"Kind: service-defaults\nName: web\nMeta: {{team: {placeholder}}}\n".encode()}

    def writes(self) -> int:
        return len(self._proxy.writes)


class TestConsulCatalog(Conformance, Adoption):
    @pytest.fixture
    def subject(self, tmp_path: Path, consul: ConsulServer, proxy: Proxy, token_file: Path, everything: str) -> CatalogSubject:
        token_file.write_text(everything)
        return CatalogSubject(tmp_path, consul, proxy, token_file)
