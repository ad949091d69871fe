"""The target: what one folder says of one Consul."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import HEALTHY, Action, Batch, Files, Health, HealthStatus, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import Site, Target, collect
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.kv import KeyValues
from gitops_agent.targets.consul.settings import ConsulSettings

_IGNORED = re.compile(r"\.[^/]*|[^/]*\.md")
"""`.gitkeep`, `README.md`: for people."""


class Consul(Target):
    """Keys and values below one prefix."""

    Settings = ConsulSettings

    def __init__(self, settings: Any, site: Site) -> None:
        super().__init__(settings, site)
        self._client = Client(settings)
        self._kv = KeyValues(settings, site, self._client)
        self._types = (self._kv,)

    def scope(self) -> frozenset[str]:
        where = f"{self.settings.address} {self.settings.datacenter}".rstrip()
        return frozenset(f"{where} {claim}" for kind in self._types for claim in kind.scope())

    def parse(self, files: Files) -> State:
        taken: dict[str, dict[str, bytes]] = {kind.label: {} for kind in self._types}
        for path, content in files.items():
            kind = next((kind for kind in self._types if kind.files.fullmatch(path)), None)
            if kind is not None:
                taken[kind.label][path] = content
            elif not _IGNORED.fullmatch(path):
                known = ", ".join(kind.example for kind in self._types)
                raise InvalidRevision(f"is nothing that a consul folder holds: {known}", file=path)
        return collect(resource for kind in self._types for resource in kind.parse(taken[kind.label]))

    def observe(self, desired: State) -> State:
        found: list[Resource] = []
        for kind in self._types:
            found += kind.observe([resource for resource in desired if _label(resource.name) == kind.label])
        return State.of(*found)

    def apply(self, plan: Plan) -> Iterator[Batch]:
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            yield adopted
        rest = plan.without(Action.ADOPT)
        for kind in self._types:
            changes = [change for change in rest if _label(change.name) == kind.label]
            if changes:
                yield from kind.apply(changes)

    def health(self) -> Health:
        answer = self._client.read("/v1/status/leader", needs="access to the status")
        return HEALTHY if answer.data else Health(HealthStatus.PROGRESSING, "consul has no leader")

    def watch(self) -> Iterator[str]:
        return self._kv.watch()

    def close(self) -> None:
        self._client.close()


def _label(name: str) -> str:
    return name.partition(":")[0]
