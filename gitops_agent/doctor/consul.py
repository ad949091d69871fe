"""Consul: a leader, ACLs, tokens that are valid, and no service of a node that is gone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings, Repair
from gitops_agent.doctor.stack import Stack
from gitops_agent.targets.consul.settings import ConsulSettings

_GONE = "serfHealth"
"""The check that Consul's own gossip makes of each node."""


def api(settings: ConsulSettings, token: str | None = None) -> Api:
    """With the agent's token unless another is given; it may be empty."""
    shown = remaining.read(settings.token_file) if token is None else token
    headers = {"X-Consul-Token": shown} if shown else {}
    return Api("consul", settings.address, headers=headers, timeout=5, ca_file=settings.ca_file)


def look(settings: ConsulSettings, stack: Stack) -> Findings:
    token = remaining.read(settings.token_file)
    with closing(api(settings, token)) as consul:
        leader = consul.call("GET", "/v1/status/leader", accept=(500, 503)).data
        if not leader or not isinstance(leader, str):
            remedy = (
                f"{stack.logs('consul')}; one server left of several: write its raft/peers.json, as Consul's «outage recovery» says"
            )
            yield Finding(settings.name, "leader", False, "has no leader: nothing can be written or looked up", remedy)
            return
        yield Finding(settings.name, "leader", True, leader)
        own = (
            _token(consul, settings.name, "the agent's token", "gitops-agent bootstrap, in a clone of the config repo")
            if token
            else None
        )
        if own is not None:
            yield own
        if own is None or own.ok:
            yield from _stale(consul, settings, stack)


def tokens(settings: ConsulSettings, store: Path) -> Findings:
    """Those that programs have from the agent's store."""
    for name, token in remaining.stored(store, "-consul-token"):
        with closing(api(settings, token)) as consul:
            yield _token(consul, settings.name, name, f"gitops-agent sync: makes what {settings.folder}/tokens.yaml declares anew")


def _token(consul: Api, system: str, what: str, remedy: str) -> Finding:
    answer = consul.call("GET", "/v1/acl/token/self", accept=(401, 403, 404))
    if answer.status == 401:
        said = "is for nothing: ACLs are off, and everybody may do everything"
        return Finding(system, what, False, said, 'acl { enabled = true, default_policy = "deny" } in its configuration')
    if answer.status != 200:
        return Finding(system, what, False, "Consul does not know it: it has expired or was deleted", remedy)
    return remaining.token(system, what, remaining.until(answer.data), remedy)


def _stale(consul: Api, settings: ConsulSettings, stack: Stack) -> Findings:
    critical: list[dict[str, Any]] = consul.call("GET", "/v1/health/state/critical").data
    gone = {check["Node"] for check in critical if check["CheckID"] == _GONE}
    well = True
    for node in sorted(gone):
        services = consul.call("GET", f"/v1/catalog/node/{node}").data or {}
        for service in (services.get("Services") or {}).values():
            well = False
            entry = {"Node": node, "ServiceID": service["ID"]}
            yield Finding(
                settings.name,
                f"service {service['Service']}",
                False,
                f"{service['ID']} is registered on the node {node}, which is gone",
                f"gitops-agent doctor --fix, or {stack.inside('consul', f'consul force-leave -prune {node}')}",
                Repair(f"deregister {service['ID']} of {node}", _deregistering(settings, entry)),
            )
    for check in critical:
        if check["Node"] not in gone and check["ServiceID"]:
            well = False
            remedy = f"mend it; where nothing runs there any more: consul services deregister -id={check['ServiceID']}"
            said = f"{check['ServiceID']} on {check['Node']} fails: {' '.join(check['Output'].split())[:120] or check['Name']}"
            yield Finding(settings.name, f"service {check['ServiceName']}", False, said, remedy)
    if well:
        yield Finding(settings.name, "services", True, "none is stale or failing")


def _deregistering(settings: ConsulSettings, entry: dict[str, str]) -> Any:
    def make() -> None:
        with closing(api(settings)) as consul:
            consul.call("PUT", "/v1/catalog/deregister", json=entry)

    return make
