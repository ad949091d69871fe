"""What the systems hold that have an API: read with the credentials that were given, and described as their targets' folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gitops_agent.adopt.described import Described, settled
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.systems import consul, nomad, vault
from gitops_agent.adopt.systems.source import Source
from gitops_agent.errors import AgentError

_KNOWN: Mapping[str, Callable[[Source], Iterator[Described]]] = {
    "consul": consul.describe,
    "vault": vault.describe,
    "nomad": nomad.describe,
}
_UNKNOWN = ("gitea", "concourse", "postgres", "grafana", "pgadmin")


def describe(
    scene: Landscape, reaching: Reaching, credentials: Mapping[str, Path], environment: str, left: Left
) -> Iterator[Described]:
    """In the order in which runs apply them. What cannot be read is told, and left."""
    for name, how in _KNOWN.items():
        address = reaching.system(scene, name)
        if not address:
            continue
        try:
            with Source(name, address, credentials.get(name), left) as source:
                for described in how(source):
                    if (kept := settled(described, environment, left)) is not None:
                        yield kept
        except AgentError as error:
            hint = "" if name in credentials else f"; give it a token: --{name}-token FILE"
            left.add(Why.ATTENTION, f"{name} at {address}", f"{error}{hint}")
    for service in scene.services:
        if service.program is not None and service.program.name in _UNKNOWN:
            left.add(Why.SYSTEM, service.name, "what it holds is not looked at: declare it by hand, bit by bit")
