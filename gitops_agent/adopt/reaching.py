"""How the agent reaches a system: by what the host offers, or where the container is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress

from gitops_agent.adopt.landscape import Landscape, Service
from gitops_agent.adopt.left import Left, Why
from gitops_agent.api import Api
from gitops_agent.errors import Unavailable

_TIMEOUT = 10.0
_ANY = ("", "0.0.0.0", "::")  # noqa: S104 -- what Docker says of a port that is offered everywhere


class Reaching:
    """`told` are addresses by the name of a program, which count before anything that is found."""

    def __init__(self, told: Mapping[str, str], left: Left) -> None:
        self._told = told
        self._left = left

    def system(self, scene: Landscape, name: str) -> str:
        """Of a system, in the project or where it was said to be."""
        return next((address for _, address in self.systems(scene, name) if address), "")

    def systems(self, scene: Landscape, name: str) -> Iterator[tuple[str, str]]:
        """Every service that is one, and its address: empty where nothing answers. The only one where it was said to be."""
        if name in self._told:
            yield "", self._told[name]
            return
        for one in scene.of(name):
            yield one.name, self.address(one)

    def address(self, service: Service) -> str:
        """Of the program's API; empty where nothing answers there."""
        program = service.program
        if program is None or not program.port:
            return ""
        if program.name in self._told:
            return self._told[program.name]
        found = service.found
        if program.port in found.ports:
            host, port = found.ports[program.port]
            address = f"http://{'127.0.0.1' if host in _ANY else host}:{port}"
            return address if _listens(program.name, address) else ""
        if found.container.network == "host":
            address = f"http://127.0.0.1:{program.port}"
            return address if _listens(program.name, address) else ""
        for inside in found.container.addresses:
            address = f"http://{inside}:{program.port}"
            if _listens(program.name, address):
                self._left.add(
                    Why.ATTENTION,
                    f"{service.name} at {address}",
                    "its port is not published: the address is another one when the container is made anew",
                )
                return address
        return ""


def _listens(system: str, address: str) -> bool:
    with closing(Api(system, address, timeout=_TIMEOUT)) as api, suppress(Unavailable):
        return api.listens()
    return False
