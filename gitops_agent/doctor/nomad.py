"""Nomad: a leader, and every worker that has joined is ready."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gitops_agent.api import Api
from gitops_agent.doctor import remaining
from gitops_agent.doctor.finding import Finding, Findings
from gitops_agent.targets.nomad.settings import NomadSettings


def _api(settings: NomadSettings, token: str) -> Api:
    headers = {"X-Nomad-Token": token} if token else {}
    return Api("nomad", settings.address, headers=headers, timeout=5, ca_file=settings.ca_file)


def look(settings: NomadSettings) -> Findings:
    token = remaining.read(settings.token_file)
    with closing(_api(settings, token)) as api:
        leader = api.call("GET", "/v1/status/leader", accept=(500, 503)).data
        if not leader or not isinstance(leader, str):
            yield Finding(settings.name, "leader", False, "has no leader: nothing is scheduled", "docker logs of nomad-server")
            return
        yield Finding(settings.name, "leader", True, leader)
        valid = _token(api, settings.name, "the agent's token") if token else None
        if valid is not None:
            yield valid
        if valid is None or valid.ok:
            yield from _workers(api, settings.name)


def tokens(settings: NomadSettings, store: Path) -> Findings:
    for name, token in remaining.stored(store, "-nomad-token"):
        with closing(_api(settings, token)) as api:
            yield _token(api, settings.name, name)


def _token(api: Api, system: str, what: str) -> Finding:
    answer = api.call("GET", "/v1/acl/token/self", accept=(400, 403, 404))
    if answer.status == 400:
        return Finding(system, what, True, "needs none: ACLs are off")
    if answer.status != 200:
        said = "Nomad does not know it: it has expired or was deleted"
        return Finding(system, what, False, said, "put a new one into its file")
    return remaining.token(system, what, remaining.until(answer.data), "put a new one into its file")


def _workers(api: Api, system: str) -> Findings:
    nodes = api.call("GET", "/v1/nodes").data
    if not nodes:
        yield Finding(
            system, "workers", False, "no worker has joined: no job can run", "start a Nomad client whose `servers` name this host"
        )
    for node in nodes:
        ready = node["Status"] == "ready" and not node["Drain"] and node["SchedulingEligibility"] == "eligible"
        draining = ", draining" if node["Drain"] else "" if node["SchedulingEligibility"] == "eligible" else ", takes no jobs"
        said = f"{node['Status']}{draining} at {node['Address']}"
        gone = f"start Nomad on it (systemctl start nomad); gone for good: nomad node purge {node['ID']}"
        remedy = gone if node["Status"] != "ready" else f"nomad node eligibility -enable {node['ID']}"
        yield Finding(system, f"worker {node['Name']}", ready, said, "" if ready else remedy)
