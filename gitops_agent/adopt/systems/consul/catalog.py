"""External nodes: hosts without an agent, told by what Consul's documentation has people write in their meta."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_agent.adopt.described import Entry
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.source import Source
from gitops_agent.targets.consul import likeness
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.nodes import EXTERNAL, ExternalNodes


def describe(source: Source, client: Client) -> Iterator[Entry]:
    taken = set()
    for found in ExternalNodes(client).observe((), ()):
        name = found.name.partition(":")[2]
        meta = {key: value for key, value in found.spec["meta"].items() if key not in EXTERNAL}
        services = {identity: _service(identity, service) for identity, service in found.spec["services"].items()}
        value = {"address": found.spec["address"], **({"meta": meta} if meta else {}), "services": services}
        taken.add(name)
        yield Entry.of(f"node {name}", "nodes.yaml", value, key=name)
    for node in source.get("/v1/catalog/nodes") or []:
        if not node.get("ID") and node["Node"] not in taken:
            source.left.add(Why.SYSTEM, f"node {node['Node']}", 'runs no agent, and has no external-node: "true" in its meta')


def _service(identity: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in found.items() if not likeness.empty(value) and (field, value) != ("name", identity)}
