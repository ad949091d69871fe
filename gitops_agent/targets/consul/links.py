"""What roles and tokens grant: policies, roles and identities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from gitops_agent.declared import Declaration
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Resource, State


class ServiceIdentity(Declaration):
    service_name: str
    datacenters: tuple[str, ...] = ()


class NodeIdentity(Declaration):
    node_name: str
    datacenter: str


class TemplatedPolicy(Declaration):
    template_name: str
    variables: dict[str, str] = Field(default_factory=dict)
    datacenters: tuple[str, ...] = ()


def _named(field: str) -> BeforeValidator:
    """Lets a bare name stand for the thing with that name and nothing else."""
    return BeforeValidator(lambda value: {field: value} if isinstance(value, str) else value)


class Links(Declaration):
    """Lists are sets: their order does not matter to Consul."""

    policies: tuple[str, ...] = ()
    service_identities: tuple[Annotated[ServiceIdentity, _named("service_name")], ...] = ()
    node_identities: tuple[NodeIdentity, ...] = ()
    templated_policies: tuple[Annotated[TemplatedPolicy, _named("template_name")], ...] = ()
    """Consul 1.17 and newer."""

    def spec(self) -> dict[str, Any]:
        return {
            "policies": sorted(set(self.policies)),
            "service_identities": _sorted(_identity(one.service_name, one.datacenters) for one in self.service_identities),
            "node_identities": _sorted({"node_name": one.node_name, "datacenter": one.datacenter} for one in self.node_identities),
            "templated_policies": _sorted(
                _template(one.template_name, one.variables, one.datacenters) for one in self.templated_policies
            ),
        }


def live(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an object of the API."""
    return {
        "policies": sorted(link["Name"] for link in found.get("Policies") or []),
        "service_identities": _sorted(
            _identity(one["ServiceName"], one.get("Datacenters") or ()) for one in found.get("ServiceIdentities") or []
        ),
        "node_identities": _sorted(
            {"node_name": one["NodeName"], "datacenter": one.get("Datacenter", "")} for one in found.get("NodeIdentities") or []
        ),
        "templated_policies": _sorted(
            _template(one["TemplateName"], _variables(one), one.get("Datacenters") or ())
            for one in found.get("TemplatedPolicies") or []
        ),
    }


def body(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same as the API takes it. Fields that an older Consul does not know are only in it when they say something."""
    written: dict[str, Any] = {
        "Policies": [{"Name": name} for name in spec["policies"]],
        "ServiceIdentities": [
            {"ServiceName": one["service_name"], "Datacenters": one["datacenters"]} for one in spec["service_identities"]
        ],
        "NodeIdentities": [{"NodeName": one["node_name"], "Datacenter": one["datacenter"]} for one in spec["node_identities"]],
    }
    if spec["templated_policies"]:
        written["TemplatedPolicies"] = [
            {
                "TemplateName": one["template_name"],
                "TemplateVariables": {name.title(): value for name, value in one["variables"].items()},
                "Datacenters": one["datacenters"],
            }
            for one in spec["templated_policies"]
        ]
    return written


def check(desired: State, staying: Collection[str]) -> None:
    """Raises InvalidRevision for a link to something that is neither declared nor there to stay: Consul would refuse it halfway."""
    for resource in desired:
        for name in _linked(resource):
            if name not in desired and name not in staying:
                message = f"{resource.name} needs {name}, which is neither declared nor in Consul"
                raise InvalidRevision.at(message, resource.origin)


def _linked(resource: Resource) -> Iterator[str]:
    yield from (f"policy:{name}" for name in resource.spec.get("policies", ()))
    yield from (f"role:{name}" for name in resource.spec.get("roles", ()))
    if resource.name.startswith("binding-rule:"):
        yield f"auth-method:{resource.spec['auth_method']}"


def _identity(name: str, datacenters: Any) -> dict[str, Any]:
    return {"service_name": name, "datacenters": sorted(datacenters)}


def _template(name: str, variables: Mapping[str, str], datacenters: Any) -> dict[str, Any]:
    return {"template_name": name, "variables": dict(sorted(variables.items())), "datacenters": sorted(datacenters)}


def _variables(found: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in (found.get("TemplateVariables") or {}).items() if value}


def _sorted(things: Any) -> list[dict[str, Any]]:
    return sorted(things, key=lambda thing: [str(value) for value in thing.values()])
