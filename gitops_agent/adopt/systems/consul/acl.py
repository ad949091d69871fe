"""What there is of ACLs: policies, roles, tokens, and how workloads log in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gitops_agent.adopt.described import Entry
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.saying import free_name
from gitops_agent.adopt.systems.source import Source
from gitops_agent.targets.consul import likeness, links
from gitops_agent.targets.consul.auth_methods import SECRET, AuthMethods
from gitops_agent.targets.consul.binding_rules import BindingRules
from gitops_agent.targets.consul.client import Client

_MANAGEMENT = "global-management"
_OWN_POLICIES = (_MANAGEMENT, "builtin/global-read-only")
_ANONYMOUS = "00000000-0000-0000-0000-000000000002"
_LOCAL = "local"


def describe(source: Source, client: Client) -> Iterator[Entry]:
    yield from _policies(source)
    yield from _roles(source)
    yield from _tokens(source)
    yield from _auth_methods(client)
    yield from _binding_rules(client)


def _policies(source: Source) -> Iterator[Entry]:
    for stub in source.get("/v1/acl/policies") or []:
        if stub["Name"] not in _OWN_POLICIES:
            rules = (source.get(f"/v1/acl/policy/{stub['ID']}") or {}).get("Rules", "")
            ending = "json" if rules.lstrip().startswith("{") else "hcl"
            yield Entry.of(f"policy {stub['Name']}", f"policies/{stub['Name']}.{ending}", f"{rules.rstrip()}\n")


def _roles(source: Source) -> Iterator[Entry]:
    for found in source.get("/v1/acl/roles") or []:
        value = {"description": found.get("Description"), **links.live(found)}
        yield Entry.of(f"role {found['Name']}", "roles.yaml", likeness.said(value), key=found["Name"])


def _tokens(source: Source) -> Iterator[Entry]:
    """By accessor; their secrets stay in Consul. Those that others issue come and go, and those of administrators are theirs."""
    names: set[str] = set()
    for found in source.get("/v1/acl/tokens") or []:
        accessor, described = found["AccessorID"], found.get("Description") or ""
        said = f"token {described or accessor}"
        if accessor == _ANONYMOUS:
            continue
        if found.get("AuthMethod") or found.get("ExpirationTime") or described.startswith("Vault "):
            source.left.add(Why.WRITTEN, said, "issued for a while")
        elif any(link["Name"] == _MANAGEMENT for link in found.get("Policies") or []):
            source.left.add(Why.SYSTEM, said, "may do everything: an administrator's")
        else:
            name = free_name(re.sub(r"[^A-Za-z0-9_.-]+", "-", described).strip("-.") or accessor, names)
            names.add(name)
            value = {"accessor_id": accessor, "local": found.get("Local"), "roles": _names(found.get("Roles"))}
            yield Entry.of(said, "tokens.yaml", likeness.said({**value, **links.live(found)}), key=name)


def _auth_methods(client: Client) -> Iterator[Entry]:
    for found in AuthMethods(client).observe((), ()):
        name = found.name.partition(":")[2]
        said = {**found.spec, "token_locality": "" if found.spec["token_locality"] == _LOCAL else found.spec["token_locality"]}
        secrets = tuple((f"{name} {field}", found.spec["config"][field]) for field in SECRET if found.spec["config"].get(field))
        yield Entry.of(f"auth method {name}", "auth-methods.yaml", likeness.said(said), key=name, secrets=secrets)


def _binding_rules(client: Client) -> Iterator[Entry]:
    """By description; one without, or with that of another, by its identity."""
    for found in BindingRules(client).observe((), ()):
        name = found.name.partition(":")[2]
        yield Entry.of(f"binding rule {name}", "binding-rules.yaml", likeness.said(found.spec), key=name)


def _names(found: Sequence[dict[str, Any]] | None) -> list[str]:
    return [link["Name"] for link in found or ()]
