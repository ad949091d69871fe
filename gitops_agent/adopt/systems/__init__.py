"""What the systems hold that have an API: read with the credentials that were given, and described as their targets' folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from gitops_agent.adopt.described import Described, settled
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.systems import concourse, consul, gitea, nomad, vault
from gitops_agent.adopt.systems.source import Source
from gitops_agent.errors import AgentError

_KNOWN: Mapping[str, Callable[[Source], Iterator[Described]]] = {
    "consul": consul.describe,
    "vault": vault.describe,
    "nomad": nomad.describe,
    "gitea": gitea.describe,
}
_UNKNOWN = ("postgres", "grafana", "pgadmin")
_CREDENTIALS = {"concourse": "its user's password: --concourse-password FILE"}
_CONCOURSE_USER = "CONCOURSE_MAIN_TEAM_LOCAL_USER"


def describe(
    scene: Landscape, reaching: Reaching, credentials: Mapping[str, Path], users: Mapping[str, str], environment: str, left: Left
) -> Iterator[Described]:
    """In the order in which runs apply them. What cannot be read is told, and left."""
    user = users.get("concourse") or _said(scene, "concourse", _CONCOURSE_USER).partition(",")[0]
    known: Mapping[str, Callable[[Source], Iterator[Described]]] = {**_KNOWN, "concourse": partial(concourse.describe, user=user)}
    for name, how in known.items():
        address = reaching.system(scene, name)
        if not address:
            continue
        try:
            with Source(name, address, credentials.get(name), left) as source:
                for described in how(source):
                    if (kept := settled(described, environment, left)) is not None:
                        yield kept
        except AgentError as error:
            hint = "" if name in credentials else f"; give it {_CREDENTIALS.get(name, f'a token: --{name}-token FILE')}"
            left.add(Why.ATTENTION, f"{name} at {address}", f"{error}{hint}")
    for service in scene.services:
        if service.program is not None and service.program.name in _UNKNOWN:
            left.add(Why.SYSTEM, service.name, "what it holds is not looked at: declare it by hand, bit by bit")


def _said(scene: Landscape, program: str, variable: str) -> str:
    """What a program of the project has in its environment; empty where it has nothing of that name."""
    pairs = (
        entry.partition("=")
        for service in scene.services
        if service.program is not None and service.program.name == program
        for entry in service.found.container.environment
    )
    return next((value for name, _, value in pairs if name == variable), "")
