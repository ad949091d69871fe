"""Namespaces, ACL policies and roles: a management token sees them whole, any other a part that looks whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from gitops_agent.adopt.described import Entry, Part
from gitops_agent.adopt.saying import said
from gitops_agent.adopt.systems.source import Source
from gitops_agent.targets.nomad import namespaces, roles
from gitops_agent.targets.nomad.client import Client
from gitops_agent.targets.nomad.managed import demand_management
from gitops_agent.targets.nomad.settings import NomadSettings

_DEFAULT = "default"


def describe(source: Source) -> Iterator[Entry]:
    """No policies and roles where ACLs are off. Raises Unavailable for a lesser token."""
    settings = NomadSettings.model_validate({"kind": "nomad", "name": "nomad", **source.settings})
    with closing(Client(settings)) as client:
        demand_management(client)
    yield from _namespaces(source)
    yield from _policies(source)
    yield from _roles(source)


def _namespaces(source: Source) -> Iterator[Entry]:
    for found in source.get("/v1/namespaces") or []:
        if found["Name"] != _DEFAULT:
            yield Entry.of(f"namespace {found['Name']}", "namespaces.yaml", said(namespaces.live(found)), key=found["Name"])


def _policies(source: Source) -> Iterator[Entry]:
    for stub in source.get("/v1/acl/policies") or []:
        found = source.get(f"/v1/acl/policy/{stub['Name']}") or {}
        parts = [Part(f"policies/{stub['Name']}.hcl", f"{found.get('Rules', '').rstrip()}\n")]
        if found.get("Description") or found.get("JobACL"):
            parts.append(Part("policies.yaml", _more(found), stub["Name"]))
        yield Entry(f"policy {stub['Name']}", tuple(parts))


def _more(found: dict[str, Any]) -> dict[str, Any]:
    job = found.get("JobACL") or {}
    names = {"namespace": "Namespace", "id": "JobID", "group": "Group", "task": "Task"}
    return said(
        {"description": found.get("Description"), "job": {name: job[field] for name, field in names.items() if job.get(field)}}
    )


def _roles(source: Source) -> Iterator[Entry]:
    for found in source.get("/v1/acl/roles") or []:
        yield Entry.of(f"role {found['Name']}", "roles.yaml", said(roles.live(found)), key=found["Name"])
