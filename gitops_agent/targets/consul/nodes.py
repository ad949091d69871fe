"""External services: `nodes.yaml`, hosts that run no Consul agent, and what they serve.

Consul does not run health checks for them (consul-esm does, for nodes with `external-probe` in their meta).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision, Unavailable
from gitops_agent.model import Change, Files, Resource
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.resource_type import SingleType

EXTERNAL = {"external-node": "true"}
_ONLY_EXTERNAL = ("node-meta", "external-node:true")
_NODE = "node"
"""Stands for the node itself among the versions of its services, none of which can have this name with a space before it."""


class _Service(Declaration):
    name: str = ""
    port: int = Field(default=0, ge=0, le=65535)
    address: str = ""
    tags: tuple[str, ...] = ()
    meta: dict[str, str] = Field(default_factory=dict)


class _Node(Declaration):
    address: str
    meta: dict[str, str] = Field(default_factory=dict)
    services: dict[str, _Service] = Field(min_length=1)


class ExternalNodes(SingleType):
    label: ClassVar = "node"
    files: ClassVar[re.Pattern[str]] = re.compile(r"nodes(-[^/]+)?\.ya?ml")
    example: ClassVar = "nodes.yaml"

    def __init__(self, client: Client) -> None:
        self._client = client

    def parse(self, files: Files) -> Iterator[Resource]:
        for one in declared(files, _Node, re.compile(r"[A-Za-z0-9_.-]{1,128}")):
            services = {
                identity: {**service.model_dump(), "name": service.name or identity, "tags": list(service.tags)}
                for identity, service in one.value.services.items()
            }
            spec = {"address": one.value.address, "meta": {**one.value.meta, **EXTERNAL}, "services": services}
            yield Resource(f"node:{one.name}", spec, origin=one.origin)

    def observe(self, desired: Sequence[Resource], owned: Collection[str]) -> Iterator[Resource]:
        wanted = {resource.name: resource for resource in desired}
        external = self._client.read(
            "/v1/catalog/nodes", needs='node_prefix "" { policy = "read" }', parameters=[_ONLY_EXTERNAL]
        ).data
        for name in sorted({*wanted, *owned, *(f"node:{node['Node']}" for node in external or [])}):
            found = self._client.read(f"/v1/catalog/node/{_host(name)}", needs=_needs(name, "read")).data
            try:
                if found is None or found["Node"] is None:
                    continue
                if found["Node"].get("ID") and name in wanted:
                    raise _is_an_agent(wanted[name])
                versions = {f" {_NODE}": found["Node"]["ModifyIndex"]}
                versions |= {identity: service["ModifyIndex"] for identity, service in found["Services"].items()}
                yield Resource(name, _spec(found), version=json.dumps(versions), owned=name in owned)
            except (KeyError, TypeError, AttributeError):
                raise Unavailable("what answers instead of consul speaks nonsense") from None

    def put(self, change: Change) -> None:
        """The node and its services in one transaction."""
        host, spec = _host(change.name), change.resource.spec
        versions = json.loads(str(change.before.version)) if change.before else {}
        before = change.before.spec["services"] if change.before else {}
        node = {"Node": host, "Address": spec["address"], "Meta": spec["meta"], "ModifyIndex": versions.get(f" {_NODE}", 0)}
        operations: list[dict[str, Any]] = [{"Node": {"Verb": "cas", "Node": node}}]
        for identity, service in spec["services"].items():
            if service != before.get(identity):
                operations.append(_operation("cas", host, {"ID": identity, **_service(service)}, versions.get(identity, 0)))
        for identity, service in before.items():
            if identity not in spec["services"]:
                operations.append(_operation("delete-cas", host, {"ID": identity, **_service(service)}, versions[identity]))
        self._commit(change, operations)

    def delete(self, change: Change) -> None:
        """Takes its services with it, those of others too: a node that is ours alone has none."""
        index = json.loads(str(change.before.version))[f" {_NODE}"] if change.before else 0
        self._commit(change, [{"Node": {"Verb": "delete-cas", "Node": {"Node": _host(change.name), "ModifyIndex": index}}}])

    def _commit(self, change: Change, operations: Sequence[Mapping[str, Any]]) -> None:
        answer = self._client.write("put", "/v1/txn", needs=_needs(change.name, "write"), body=operations, accept=(409,))
        if answer.status != 409:
            return
        what = str(((answer.data or {}).get("Errors") or [{"What": "no reason given"}])[0]["What"])
        if "stale" in what:
            raise Conflict(f"{change.name} was changed by somebody else in the meantime")
        if "ermission denied" in what:
            raise ApplyFailed(
                f"consul: the agent's token lacks {_needs(change.name, 'write')}, or the same for one of its services"
            )
        raise ApplyFailed(f"consul refused {change.name}: {what}")


def _operation(verb: str, host: str, service: Mapping[str, Any], index: int) -> dict[str, Any]:
    return {"Service": {"Verb": verb, "Node": host, "Service": {**service, "ModifyIndex": index}}}


def _service(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"Service": spec["name"], "Port": spec["port"], "Address": spec["address"], "Tags": spec["tags"], "Meta": spec["meta"]}


def _spec(found: Mapping[str, Any]) -> dict[str, Any]:
    services = {
        identity: {
            "name": service["Service"],
            "port": service.get("Port") or 0,
            "address": service.get("Address") or "",
            "tags": service.get("Tags") or [],
            "meta": service.get("Meta") or {},
        }
        for identity, service in found["Services"].items()
    }
    return {"address": found["Node"]["Address"], "meta": found["Node"].get("Meta") or {}, "services": services}


def _host(name: str) -> str:
    return name.removeprefix("node:")


def _needs(name: str, access: str) -> str:
    return f'node "{_host(name)}" {{ policy = "{access}" }}'


def _is_an_agent(resource: Resource) -> InvalidRevision:
    message = f"{_host(resource.name)} runs a Consul agent, which would undo what is written here: take another name"
    return InvalidRevision.at(message, resource.origin)
