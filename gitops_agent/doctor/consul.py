"""Consul: a leader, tokens that are valid, and no service of a node that is gone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings, Repair
from gitops_agent.targets.consul.settings import ConsulSettings

_GONE = "serfHealth"
"""The check that Consul's own gossip makes of each node."""


def _api(settings: ConsulSettings, token: str) -> Api:
    headers = {"X-Consul-Token": token} if token else {}
    return Api("consul", settings.address, headers=headers, timeout=5, ca_file=settings.ca_file)


def look(settings: ConsulSettings) -> Findings:
    token = remaining.read(settings.token_file)
    with closing(_api(settings, token)) as api:
        leader = api.call("GET", "/v1/status/leader", accept=(500, 503)).data
        if not leader or not isinstance(leader, str):
            remedy = "docker logs of consul; with one server left of several: docs of `consul operator raft` (peers.json)"
            yield Finding(settings.name, "leader", False, "has no leader: nothing can be written or looked up", remedy)
            return
        yield Finding(settings.name, "leader", True, leader)
        valid = _token(api, settings.name, "the agent's token") if token else None
        if valid is not None:
            yield valid
        if valid is None or valid.ok:
            yield from _stale(api, settings)


def tokens(settings: ConsulSettings, store: Path) -> Findings:
    for name, token in remaining.stored(store, "-consul-token"):
        with closing(_api(settings, token)) as api:
            yield _token(api, settings.name, name)


def _token(api: Api, system: str, what: str) -> Finding:
    remedy = f"sync the environment: the token is declared in {system}/, and made anew with the secret in the agent's store"
    answer = api.call("GET", "/v1/acl/token/self", accept=(401, 403, 404))
    if answer.status == 401:
        return Finding(system, what, True, "needs none: ACLs are off")
    if answer.status != 200:
        return Finding(system, what, False, "Consul does not know it: it has expired or was deleted", remedy)
    return remaining.token(system, what, remaining.until(answer.data), remedy)


def _stale(api: Api, settings: ConsulSettings) -> Findings:
    critical: list[dict[str, Any]] = api.call("GET", "/v1/health/state/critical").data
    gone = {check["Node"] for check in critical if check["CheckID"] == _GONE}
    well = True
    for node in sorted(gone):
        services = api.call("GET", f"/v1/catalog/node/{node}").data or {}
        for service in (services.get("Services") or {}).values():
            well = False
            entry = {"Node": node, "ServiceID": service["ID"]}
            yield Finding(
                settings.name,
                f"service {service['Service']}",
                False,
                f"{service['ID']} is registered on the node {node}, which is gone",
                f"gitops-agent doctor --fix, or consul force-leave -prune {node}",
                Repair(f"deregister {service['ID']} of {node}", _deregistering(settings, entry)),
            )
    for check in critical:
        if check["Node"] not in gone and check["ServiceID"]:
            well = False
            remedy = f"mend it; or, when nothing runs there: consul services deregister -id={check['ServiceID']} on that node"
            said = f"{check['ServiceID']} on {check['Node']} fails: {' '.join(check['Output'].split())[:120] or check['Name']}"
            yield Finding(settings.name, f"service {check['ServiceName']}", False, said, remedy)
    if well:
        yield Finding(settings.name, "services", True, "none is stale or failing")


def _deregistering(settings: ConsulSettings, entry: dict[str, str]) -> Any:
    def make() -> None:
        with closing(_api(settings, remaining.read(settings.token_file))) as api:
            api.call("PUT", "/v1/catalog/deregister", json=entry)

    return make
