"""What nginx sends requests to is what Consul knows: consul-template is alive, no group is empty, no address out of reach."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from gitops_agent.doctor import consul
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.doctor.hostnames import full
from gitops_agent.doctor.stack import Stack
from gitops_agent.targets.consul.settings import ConsulSettings

_SYSTEM = "upstreams"
_TEMPLATE = "consul-template"
_SERVER = re.compile(r"^\s*server\s+(\S+)(?![^;]*\bdown\b)[^;]*;", re.MULTILINE)


def look(values: Mapping[str, Any], registry: ConsulSettings | None, stack: Stack) -> Findings:
    """Of each hostname that leads to a service of Consul. Without `registry` only the files are looked at."""
    for host in values["hostnames"]:
        if service := host.get("consul"):
            yield _upstream(values, service, full(host, values), _known(registry, service) if registry else None, stack)


def _known(registry: ConsulSettings, service: str) -> set[str]:
    """Healthy instances in Consul, as nginx writes them."""
    with closing(consul.api(registry)) as api:
        entries = api.call("GET", f"/v1/health/service/{service}", params={"passing": "1"}).data
    places = ((entry["Service"]["Address"] or entry["Node"]["Address"], entry["Service"]["Port"]) for entry in entries)
    return {f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in places}


def _upstream(values: Mapping[str, Any], service: str, name: str, known: set[str] | None, stack: Stack) -> Finding:
    """consul-template writes a server that is `down` for a group without instances: nginx would not start with none."""
    file = Path(values["root"]) / "upstreams/http" / f"{service.replace('-', '_').replace('.', '_')}.conf"
    found = partial(Finding, _SYSTEM, name)
    try:
        servers = set(_SERVER.findall(file.read_text()))
    except OSError as error:
        return found(False, f"{file}: {error.strerror}", stack.logs(_TEMPLATE))
    if known is not None and known != servers:
        said = f"is behind: Consul knows {_listed(known)}, nginx has {_listed(servers)}"
        return found(False, said, f"{stack.logs(_TEMPLATE)}; {stack.restart(_TEMPLATE)}")
    if not servers:
        remedy = stack.inside("consul", f"consul catalog nodes -service={service}")
        return found(False, f"is empty: Consul knows no healthy {service}", f"{remedy}; nomad job status {service}")
    if strange := _elsewhere(servers, str((values.get("workers") or {}).get("network", ""))):
        said = f"{_listed(strange)} is not in the workers' network: nginx does not reach it"
        return found(False, said, f'address_mode = "host" in the `service` block of the job that registers {service}')
    return found(True, _listed(servers))


def _elsewhere(servers: set[str], network: str) -> set[str]:
    """Those in a container network of a worker: the job did not say that the host's address counts."""
    if not network:
        return set()
    wanted = ip_network(network, strict=False)
    hosts = {server: server.rpartition(":")[0].strip("[]") for server in servers}
    return {server for server, host in hosts.items() if re.fullmatch(r"[\d.]+|.*:.*", host) and ip_address(host) not in wanted}


def _listed(servers: set[str]) -> str:
    return ", ".join(sorted(servers)) or "none"
