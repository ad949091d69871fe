"""A fake Nomad's ACL system, for management tokens: policies, roles, and tokens that may do what their policies say."""

from __future__ import annotations

import re
import uuid
from typing import Any

from tests.fakes.nomad_hcl import capabilities
from tests.fakes.nomad_state import State
from tests.fakes.nomad_things import Refused

Json = Any
ANONYMOUS = {"Name": "Anonymous Token", "Type": "client", "Policies": ["anonymous"], "Roles": None, "Global": False}
"""What whoever shows no token is told to have."""
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_RULES = re.compile(r'(namespace|node_pool|host_volume) "|(agent|node|operator|quota|plugin) ')


class Acl:
    """`management` are the tokens that may do everything; with none ACLs have not begun."""

    def __init__(self, state: State, *management: str) -> None:
        self._state = state
        self.management = {*management}
        self.tokens: dict[str, frozenset[str]] = {}
        """Capabilities and paths of variables by token."""

    def answer(self, method: str, rest: str, body: Json, management: bool) -> Json:
        """A lesser token sees what is its own: nothing here."""
        if rest == "token/self":
            return {"Type": "management" if management else "client"}
        if not management:
            if method == "GET" and rest in ("policies", "roles"):
                return []
            raise Refused(403, "Permission denied")
        what, _, name = rest.partition("/")
        handle = {
            "policies": self._policies,
            "policy": self._policy,
            "roles": self._roles,
            "role": self._role,
            "token": self._token,
        }
        return handle[what](method, name, body)

    def begin(self, body: Json) -> Json:
        """What needs no token, once."""
        secret = (body or {}).get("BootstrapSecret") or str(uuid.uuid4())
        if not _UUID.fullmatch(secret):
            raise Refused(400, "invalid acl token")
        if self.management:
            raise Refused(400, "ACL bootstrap already done (reset index: 9)")
        return {**self._manager("Bootstrap Token", secret), "Global": True}

    def _manager(self, name: str, secret: str) -> Json:
        self.management.add(secret)
        return {"SecretID": secret, "Name": name, "Type": "management", "Global": False, "Policies": None, "Roles": None}

    def _policies(self, _method: str, _name: str, _body: Json) -> Json:
        listed = ("Name", "Description", "Hash", "CreateIndex", "ModifyIndex")
        return [{name: policy[name] for name in listed} for policy in self._state.policies.things.values()]

    def _policy(self, method: str, name: str, body: Json) -> Json:
        if method == "GET":
            return self._state.policies.one(name, "ACL policy not found")
        if method == "DELETE":
            return self._state.policies.delete(name)
        if not _RULES.search(body["Rules"]) or body["Rules"].count("{") != body["Rules"].count("}"):
            raise Refused(
                400, f"policy 0 invalid: 1 error occurred:\n\t* failed to parse rules: Invalid policy: {body['Rules']}\n\n"
            )
        return self._state.policies.put({"Description": "", "JobACL": None, **body})

    def _roles(self, _method: str, _name: str, _body: Json) -> Json:
        return [*self._state.roles.things.values()]

    def _role(self, method: str, name: str, body: Json) -> Json:
        roles = self._state.roles
        if name.startswith("name/"):
            return roles.one(name.removeprefix("name/"), "ACL role not found")
        known = next((role for role in roles.things.values() if role["ID"] == name), None)
        if method == "DELETE":
            return roles.delete(known["Name"] if known else "", 500, "ACL role not found")
        for link in body["Policies"]:
            if link["Name"] not in self._state.policies.things:
                raise Refused(400, f"cannot find policy {link['Name']}")
        if not name and body["Name"] in roles.things:
            raise Refused(400, f"role with name {body['Name']} already exists")
        roles.put({"Description": "", **body, "ID": known["ID"] if known else f"{len(roles.things):08d}-role"})
        return roles.things[body["Name"]]

    def _token(self, _method: str, _name: str, body: Json) -> Json:
        token = f"{len(self.tokens):08d}-aaaa-bbbb-cccc-dddddddddddd"
        if body["Type"] == "management":
            return self._manager(body["Name"], str(uuid.uuid4()))
        policies = self._state.policies.things
        self.tokens[token] = frozenset().union(*(capabilities(policies[name]["Rules"]) for name in body["Policies"]))
        return {"SecretID": token}
