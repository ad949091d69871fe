"""Vault under the suite that every kind passes, with the shipped policy and nothing more."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.model import Files
from tests.conformance.adoption import Adoption
from tests.conformance.events import Sickness
from tests.conformance.subject import AdoptableSubject, AilingSubject, Seen
from tests.conformance.suite import Conformance
from tests.targets.proxy import Proxy
from tests.targets.vault.server import VaultServer

_SHOP = b'path "kv/data/shop/*" {\n  capabilities = ["read"]\n}\n'
_OPS = b'path "kv/*" {\n  capabilities = ["read", "list"]\n}\n'
_FIRST: Files = {
    "policies/shop.hcl": _SHOP,
    "policies/ops.hcl": _OPS,
    "kv.yaml": b"kv/conformance/app:\n  host: db\n  port: 5432\n",
    "auth-methods.yaml": b"approle: {type: approle, config: {default_lease_ttl: 1h}}\n",
    "paths.yaml": b"auth/approle/role/shop:\n  token_policies: [shop, ops]\n  token_ttl: 30m\n  role_id: fixed-role\n",
}
_WITHOUT: Files = {**_FIRST, "paths.yaml": b"auth/approle/role/shop:\n  token_policies: [shop, ops]\n  role_id: fixed-role\n"}
_SECOND: Files = {
    **{path: content for path, content in _FIRST.items() if path != "policies/ops.hcl"},
    "policies/dev.hcl": _OPS,
    "policies/shop.hcl": _SHOP.replace(b'"read"', b'"read", "list"'),
    "kv.yaml": b"kv/conformance/app:\n  host: db\n  tls: true\nkv/conformance/more: {a: b}\n",
}
_FOREIGN = 'path "elsewhere" {\n  capabilities = ["deny"]\n}'


class VaultSubject(AdoptableSubject, AilingSubject):
    kind = "vault"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "no YAML": {**_FIRST, "kv.yaml": b"a: [b\n"},
        "an upper-case policy": {**_FIRST, "policies/Shop.hcl": _SHOP},
        "a policy that is not closed": {**_FIRST, "policies/shop.hcl": _SHOP.replace(b"}", b"")},
        "no such capability": {**_FIRST, "policies/shop.hcl": _SHOP.replace(b"read", b"reed")},
        "a file of no type": {**_FIRST, "policy.hcl": _SHOP},
        "an entry in no KV": {**_FIRST, "kv.yaml": b"nowhere/app: {a: b}\n"},
        "another type of engine": {**_FIRST, "auth-methods.yaml": b"approle: {type: userpass}\n"},
        "a setting that there is not": {**_FIRST, "auth-methods.yaml": b"approle: {typ: approle}\n"},
        "a path that issues credentials": {**_FIRST, "paths.yaml": b"auth/approle/role/shop/secret-id: {}\n"},
    }

    def __init__(self, directory: Path, server: VaultServer, proxy: Proxy, token_file: Path) -> None:
        super().__init__(directory)
        self._server = server
        self._proxy = proxy
        self._token_file = token_file
        server.mount_kv("kv")
        server.put_entry("kv/elses/thing", {"theirs": "yes"})
        server.call("PUT", "sys/policies/acl/elses", {"policy": _FOREIGN})

    def settings(self) -> dict[str, Any]:
        table = {"address": self._proxy.url, "token_file": str(self._token_file), "timeout": 2, "secrets": ["file:*"]}
        return {**table, "allow_destroy": True}

    def look(self) -> Mapping[str, Seen]:
        seen: dict[str, Seen] = {}
        for name, text in self._server.policies().items():
            if name != "zz-agent":
                seen[f"policy:{name}"] = Seen(text, text)
        for path in ("kv/elses/thing", "kv/conformance/app", "kv/conformance/more", "kv/conformance/secret"):
            if (entry := self._server.entry(path)) is not None:
                seen[path] = Seen(*entry)
        methods = self._server.data("sys/auth")
        if "approle/" in methods:
            seen["approle"] = Seen(methods["approle/"]["config"]["default_lease_ttl"], methods["approle/"]["accessor"])
            if (role := self._server.data("auth/approle/role/shop")) is not None:
                told = {field: role[field] for field in ("token_policies", "token_ttl")}
                told["role_id"] = self._server.data("auth/approle/role/shop/role-id")["role_id"]
                seen["role"] = Seen(told, told)
        return seen

    def expected(self, files: Files) -> Mapping[str, Any]:
        found: dict[str, Any] = {
            f"policy:{Path(path).stem}": text.decode() for path, text in files.items() if path.startswith("policies/")
        }
        second = files == _SECOND
        found["kv/conformance/app"] = {"host": "db", "tls": True} if second else {"host": "db", "port": 5432}
        if second:
            found["kv/conformance/more"] = {"a": "b"}
        ttl = 0 if files == _WITHOUT else 1800
        found["approle"] = 3600
        found["role"] = {"token_policies": ["shop", "ops"], "token_ttl": ttl, "role_id": "fixed-role"}
        return found

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"policy:elses", "kv/elses/thing"})

    def tamper(self) -> None:
        self._server.call("POST", "auth/approle/role/shop", {"token_policies": ["shop", "root-like"]})

    def vandalise(self) -> None:
        self._server.call("DELETE", "sys/policies/acl/shop")

    def plant(self, files: Files) -> None:
        expected = self.expected(files)
        for name, content in expected.items():
            if name.startswith("policy:"):
                self._server.call("PUT", f"sys/policies/acl/{name.partition(':')[2]}", {"policy": content})
            elif name.startswith("kv/"):
                self._server.put_entry(name, content)
        self._server.call("POST", "sys/auth/approle", {"type": "approle", "config": {"default_lease_ttl": "1h"}})
        self._server.call("POST", "auth/approle/role/shop", expected["role"])

    @contextmanager
    def ailing(self) -> Iterator[None]:
        self._server.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.process.send_signal(signal.SIGCONT)

    def with_secret(self, placeholder: str) -> Files:
        return {**_FIRST, "kv-secret.yaml": f"kv/conformance/secret: {{password: '{placeholder}'}}\n".encode()}

    def writes(self) -> int:
        return len(self._proxy.writes)


class TestVault(Conformance, Adoption, Sickness):
    @pytest.fixture
    def subject(self, tmp_path: Path, vault: VaultServer, proxy: Proxy, token_file: Path) -> VaultSubject:
        return VaultSubject(tmp_path, vault, proxy, token_file)
