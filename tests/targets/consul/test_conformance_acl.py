"""The suite again, for Consul's ACL system, with the policy that is shipped for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gitops_agent.model import Files
from tests.conformance.adoption import Adoption
from tests.conformance.subject import AdoptableSubject, Seen
from tests.conformance.suite import Conformance
from tests.targets.consul.conftest import ENVIRONMENT
from tests.targets.consul.server import ConsulServer
from tests.targets.proxy import Proxy

_KEY = (Path(__file__).parent / "jwt-key.pem").read_text()
_CONFIG = {"JWTValidationPubKeys": [_KEY], "ClaimMappings": {"job": "job"}}
_METHOD = {"type": "jwt", "max_token_ttl": "90m", "config": _CONFIG}
_RULE = {"auth_method": "nomad", "bind_type": "role", "bind_name": "app", "selector": "value.job==app"}
_FIRST: Files = {
    "policies/web.hcl": b'service "web" {\n  policy = "write"\n}\nnode_prefix "" { policy = "read" }\n',
    "policies/old.hcl": b'key_prefix "old/" { policy = "read" }\n',
    "roles.yaml": b"app:\n  description: for applications\n  policies: [web]\n  service_identities: [web, {service_name: api}]\n",
    "tokens.yaml": b"web: {policies: [web], roles: [app]}\nbackup: {policies: [old]}\n",
    "auth-methods.yaml": json.dumps({"nomad": _METHOD}).encode(),
    "binding-rules.yaml": json.dumps({"apps": _RULE}).encode(),
}
_SECOND: Files = {
    **{path: content for path, content in _FIRST.items() if path != "policies/old.hcl"},
    "policies/web.hcl": b'service "web" {\n  policy = "read"\n}\n',
    "policies/new.hcl": b'operator = "read"\n',
    "roles.yaml": b"app:\n  policies: [new, web]\n",
    "tokens.yaml": b"web: {policies: [web, new], local: true}\n",
    "auth-methods.yaml": json.dumps({"nomad": {**_METHOD, "max_token_ttl": "1h"}}).encode(),
    "binding-rules.yaml": json.dumps({"apps": {**_RULE, "bind_name": "other"}, "more": _RULE}).encode(),
}
_WITHOUT: Files = {**_FIRST, "roles.yaml": _FIRST["roles.yaml"].replace(b"  description: for applications\n", b"")}


class AclSubject(AdoptableSubject):
    kind = "consul"
    first: ClassVar[Files] = _FIRST
    second: ClassVar[Files] = _SECOND
    without: ClassVar[Files] = _WITHOUT
    garbage: ClassVar[Mapping[str, Files]] = {
        "a rule that Consul would ignore": {**_FIRST, "policies/web.hcl": b'sevice "web" { policy = "write" }'},
        "rules that are cut short": {**_FIRST, "policies/web.hcl": b'service "web" {'},
        "a role of nothing": {**_FIRST, "roles.yaml": b"app: {policies: [absent]}\n"},
        "a field that is none": {**_FIRST, "tokens.yaml": b"web: {policy: [web]}\n"},
        "a secret in the repository": {**_FIRST, "tokens.yaml": b"web: {secret_id: 21111111-2222-4333-8444-555555555555}\n"},
        "Consul's own policy": {**_FIRST, "policies/global-management.hcl": b""},
        "no type": {**_FIRST, "auth-methods.yaml": b"nomad: {config: {}}\n"},
        "a rule of no method": {**_FIRST, "binding-rules.yaml": json.dumps({"apps": {**_RULE, "auth_method": "no"}}).encode()},
    }

    def __init__(self, directory: Path, server: ConsulServer, proxy: Proxy, token_file: Path) -> None:
        super().__init__(directory)
        self._server = server
        self._proxy = proxy
        self._token_file = token_file
        self.secrets = directory / "secrets"
        policy = server.call("PUT", "/v1/acl/policy", {"Name": "foreign", "Rules": 'key "x" { policy = "read" }'})
        server.call("PUT", "/v1/acl/token", {"Description": "foreign", "Policies": [{"ID": policy["ID"]}]})
        server.call("PUT", "/v1/acl/role", {"Name": "foreign", "Description": "of somebody else"})

    def settings(self) -> dict[str, Any]:
        return {
            "address": self._proxy.url,
            "token_file": str(self._token_file),
            "timeout": 5,
            "secrets": ["file:*"],
            "token_directory": str(self.secrets),
        }

    def look(self) -> Mapping[str, Seen]:
        server = self._server
        seen = {}
        for stub in server.acl("policies"):
            policy = server.call("GET", f"/v1/acl/policy/{stub['ID']}")
            seen[f"policy {policy['Name']}"] = Seen(policy["Rules"].strip(), policy["ModifyIndex"])
        for role in server.acl("roles"):
            services = [one["ServiceName"] for one in role.get("ServiceIdentities", [])]
            seen[f"role {role['Name']}"] = Seen(
                (role["Description"], _names(role, "Policies"), sorted(services)), role["ModifyIndex"]
            )
        for stub in server.acl("tokens"):
            token = server.call("GET", f"/v1/acl/token/{stub['AccessorID']}")
            file = self.secrets / token["Description"]
            kept = file.read_text().strip() == token["SecretID"] if file.exists() else token["Description"] == "foreign"
            content = (_names(token, "Policies"), _names(token, "Roles"), token["Local"], kept)
            seen[f"token {token['Description']}"] = Seen(content, token["ModifyIndex"])
        for stub in server.acl("auth-methods"):
            method = server.call("GET", f"/v1/acl/auth-method/{stub['Name']}")
            seen[f"auth-method {method['Name']}"] = Seen((method["MaxTokenTTL"], method["Config"]), method["ModifyIndex"])
        for rule in server.acl("binding-rules"):
            seen[f"binding-rule {rule['Description']}"] = Seen((rule["BindName"], rule["Selector"]), rule["ModifyIndex"])
        return seen

    def expected(self, files: Files) -> Mapping[str, Any]:
        second = files == _SECOND
        description = "" if files == _WITHOUT else "for applications"
        expected: dict[str, Any] = {
            "policy web": files["policies/web.hcl"].decode().strip(),
            "role app": ("", ["new", "web"], []) if second else (description, ["web"], ["api", "web"]),
            "token web": (["new", "web"], [], True, True) if second else (["web"], ["app"], False, True),
            "auth-method nomad": ("1h0m0s" if second else "1h30m0s", _METHOD["config"]),
            "binding-rule apps": ("other" if second else "app", "value.job==app"),
        }
        if second:
            return {**expected, "policy new": 'operator = "read"', "binding-rule more": ("app", "value.job==app")}
        return {**expected, "policy old": 'key_prefix "old/" { policy = "read" }', "token backup": (["old"], [], False, True)}

    @property
    def bystanders(self) -> frozenset[str]:
        return frozenset({"policy foreign", "token foreign", "role foreign"})

    def tamper(self) -> None:
        policy = next(one for one in self._server.acl("policies") if one["Name"] == "web")
        self._server.call("PUT", f"/v1/acl/policy/{policy['ID']}", {**policy, "Rules": 'acl = "write"'})

    def vandalise(self) -> None:
        token = next(one for one in self._server.acl("tokens") if one["Description"] == "backup")
        self._server.call("DELETE", f"/v1/acl/token/{token['AccessorID']}")

    def plant(self, files: Files) -> None:
        """By the agent itself, which is made to forget."""
        from tests.conformance.converge import converge

        converge(self.target(), files)
        self._server.delete(f"gitops-agent/{ENVIRONMENT}/consul")

    def with_secret(self, placeholder: str) -> Files:
        return {
            **_FIRST,
            "binding-rules.yaml": json.dumps({"apps": {**_RULE, "selector": f'value.job == "{placeholder}"'}}).encode(),
        }

    def writes(self) -> int:
        return len(self._proxy.writes)


def _names(thing: Mapping[str, Any], field: str) -> list[str]:
    return sorted(link["Name"] for link in thing.get(field) or [])


class TestConsulAcl(Conformance, Adoption):
    @pytest.fixture
    def subject(self, tmp_path: Path, consul: ConsulServer, proxy: Proxy, token_file: Path, everything: str) -> AclSubject:
        token_file.write_text(everything)
        return AclSubject(tmp_path, consul, proxy, token_file)
