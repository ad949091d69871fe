"""Nomad: a leader, tokens that are valid, keys for the identities of tasks, and workers that are ready and see what jobs need."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.doctor.stack import Stack
from gitops_agent.targets.nomad.settings import NomadSettings


def api(settings: NomadSettings, token: str | None = None) -> Api:
    """With the agent's token unless another is given; it may be empty."""
    shown = remaining.read(settings.token_file) if token is None else token
    headers = {"X-Nomad-Token": shown} if shown else {}
    return Api("nomad", settings.address, headers=headers, timeout=5, ca_file=settings.ca_file)


def look(settings: NomadSettings, stack: Stack) -> Findings:
    token = remaining.read(settings.token_file)
    with closing(api(settings, token)) as nomad:
        leader = nomad.call("GET", "/v1/status/leader", accept=(500, 503)).data
        if not leader or not isinstance(leader, str):
            yield Finding(settings.name, "leader", False, "has no leader: nothing is scheduled", stack.logs("nomad-server"))
            return
        yield Finding(settings.name, "leader", True, leader)
        own = (
            _token(nomad, settings.name, "the agent's token", "gitops-agent bootstrap, in a clone of the config repo")
            if token
            else None
        )
        if own is not None:
            yield own
        yield _identities(nomad, settings.name, stack)
        if own is None or own.ok:
            yield from _workers(nomad, settings.name, stack)


def tokens(settings: NomadSettings, store: Path) -> Findings:
    """Those that programs have from the agent's store."""
    for name, token in remaining.stored(store, "-nomad-token"):
        with closing(api(settings, token)) as nomad:
            yield _token(nomad, settings.name, name, "gitops-agent bootstrap, in a clone of the config repo")


def _token(nomad: Api, system: str, what: str, remedy: str) -> Finding:
    answer = nomad.call("GET", "/v1/acl/token/self", accept=(400, 403, 404))
    if answer.status == 400:
        return Finding(
            system,
            what,
            False,
            "is for nothing: ACLs are off, and everybody may do everything",
            "acl { enabled = true } in its configuration",
        )
    if answer.status != 200:
        return Finding(system, what, False, "Nomad does not know it: it has expired or was deleted", remedy)
    return remaining.token(system, what, remaining.until(answer.data), remedy)


def _identities(nomad: Api, system: str, stack: Stack) -> Finding:
    """Vault and Consul fetch the keys here to believe what a task shows them."""
    answer = nomad.call("GET", "/.well-known/jwks.json", accept=(404, 500))
    keys = len((answer.data or {}).get("keys") or ()) if isinstance(answer.data, dict) else 0
    if answer.status == 404:
        return Finding(system, "identities", True, "are not known to this version: Vault's tokens come from a token of Nomad's own")
    said = f"{keys} keys sign them" if keys else "nothing signs them: no task gets a token of Vault or Consul"
    return Finding(system, "identities", bool(keys), said, "" if keys else stack.logs("nomad-server"))


def _workers(nomad: Api, system: str, stack: Stack) -> Findings:
    nodes: list[dict[str, Any]] = nomad.call("GET", "/v1/nodes").data
    if not nodes:
        remedy = "make one: docs/how-to/workers.md; on one that is there: systemctl status nomad"
        yield Finding(system, "workers", False, "no worker has joined: no job can run", remedy)
    for node in nodes:
        ready = node["Status"] == "ready" and not node["Drain"] and node["SchedulingEligibility"] == "eligible"
        draining = ", draining" if node["Drain"] else "" if node["SchedulingEligibility"] == "eligible" else ", takes no jobs"
        said = f"{node['Status']}{draining} at {node['Address']}"
        remedy = stack.inside("nomad-server", f"nomad node eligibility -enable {node['ID']}")
        if node["Status"] != "ready":
            forgotten = stack.inside("nomad-server", "nomad system gc")
            remedy = f"ssh root@{node['Address']} systemctl restart nomad; gone for good: {forgotten}"
        yield Finding(system, f"worker {node['Name']}", ready, said, "" if ready else remedy)
        if node["Status"] == "ready":
            yield _runtime(system, node)


def _runtime(system: str, node: dict[str, Any]) -> Finding:
    drivers = node.get("Drivers") or {}
    found = {name: drivers[name] for name in ("podman", "docker") if drivers.get(name, {}).get("Detected")}
    well = [name for name, driver in found.items() if driver["Healthy"]]
    said = f"driver {well[0]} is healthy" if well else "no container can start: Podman does not answer Nomad"
    return Finding(
        system,
        f"containers on {node['Name']}",
        bool(well),
        said,
        "" if well else f"ssh root@{node['Address']} systemctl restart podman.socket",
    )
