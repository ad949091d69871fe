"""What a worker needs of several systems: Consul knows it, it reaches Vault, it can be reached from here, its clock is right."""

from __future__ import annotations

from contextlib import closing
from ipaddress import ip_address, ip_network
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor import clocks, consul, nomad
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.errors import Unavailable
from gitops_agent.targets.consul.settings import ConsulSettings
from gitops_agent.targets.nomad.settings import NomadSettings

_SYSTEM = "workers"
_REGISTERED = "nomad-client"
"""The service that a client registers itself as, unless its configuration says otherwise."""


def look(settings: NomadSettings, registry: ConsulSettings | None, *, network: str, vault: bool) -> Findings:
    """Of each worker that is ready. `network` is that of the workers, empty where it is not known; `vault` whether tasks use it."""
    registered = _registered(registry) if registry else {}
    with closing(nomad.api(settings)) as api:
        ready = [node for node in api.call("GET", "/v1/nodes").data if node["Status"] == "ready"]
        for node in ready:
            whole = api.call("GET", f"/v1/node/{node['ID']}").data
            yield from _address(whole, network)
            yield from _reached(whole)
            if registry is not None:
                yield _in_consul(whole, registered)
            if vault:
                yield _sees_vault(whole)


def _address(node: dict[str, Any], network: str) -> Findings:
    """Jobs are found at the address that the worker advertises."""
    host = node["HTTPAddr"].rpartition(":")[0].strip("[]")
    if network and ip_address(host) not in ip_network(network, strict=False):
        said = f"advertises {host}, which is not in {network}: nginx does not reach it"
        yield Finding(_SYSTEM, node["Name"], False, said, "`advertise` in worker/nomad/client.hcl.j2; values: workers.network")


def _reached(node: dict[str, Any]) -> Findings:
    scheme = "https" if node.get("TLSEnabled") else "http"
    address = f"{scheme}://{node['HTTPAddr']}"
    host = node["HTTPAddr"].rpartition(":")[0]
    try:
        with closing(Api("nomad client", address, timeout=3)) as api:
            yield clocks.compare(api, "/v1/agent/health", node["Name"], f"ssh root@{host} chronyc makestep")
    except Unavailable as error:
        remedy = f"ip route get {host.strip('[]')}, here; on a Mac: sudo launchctl kickstart system/mini-cloud.routes"
        yield Finding(_SYSTEM, node["Name"], False, f"is not reached from here: {error}", remedy)


def _registered(registry: ConsulSettings) -> dict[str, str]:
    """Health of each client in Consul, by its address and port."""
    with closing(consul.api(registry)) as api:
        entries = api.call("GET", f"/v1/health/service/{_REGISTERED}").data
    return {
        f"{entry['Service']['Address']}:{entry['Service']['Port']}": max(
            (check["Status"] for check in entry["Checks"] if check["ServiceID"]),
            key=("passing", "warning", "critical").index,
            default="",
        )
        for entry in entries
    }


def _in_consul(node: dict[str, Any], registered: dict[str, str]) -> Finding:
    status = registered.get(node["HTTPAddr"], "")
    what = f"{node['Name']} in Consul"
    host = node["HTTPAddr"].rpartition(":")[0]
    if not status:
        said = f"is not registered as {_REGISTERED} at {node['HTTPAddr']}: nor are the services of its jobs"
        return Finding(_SYSTEM, what, False, said, f"ssh root@{host} journalctl --unit nomad --grep consul --lines 20")
    well = status == "passing"
    said = "is registered, and its check passes" if well else f"is registered, but its check is {status}: Consul does not reach it"
    return Finding(
        _SYSTEM, what, well, said, "" if well else f"curl http://{node['HTTPAddr']}/v1/agent/health, from Consul's container"
    )


def _sees_vault(node: dict[str, Any]) -> Finding:
    version = (node.get("Attributes") or {}).get("vault.version", "")
    what, host = f"{node['Name']} and Vault", node["HTTPAddr"].rpartition(":")[0]
    said = f"it reaches Vault {version}" if version else "it does not reach Vault: jobs that ask for secrets do not start"
    return Finding(
        _SYSTEM, what, bool(version), said, "" if version else f"ssh root@{host} journalctl --unit nomad --grep vault --lines 20"
    )
