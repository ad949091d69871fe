"""The target: what one folder says of one Consul."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, HealthStatus, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import Site, Target, collect
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.kv import KeyValues
from gitops_agent.targets.consul.ownership import Ownership
from gitops_agent.targets.consul.resource_type import ResourceType, SingleType
from gitops_agent.targets.consul.settings import ConsulSettings

_IGNORED = re.compile(r"\.[^/]*|[^/]*\.md")
"""`.gitkeep`, `README.md`: for people."""


class Consul(Target):
    """Keys and values below one prefix, and whatever else the folder declares."""

    Settings = ConsulSettings

    def __init__(self, settings: ConsulSettings, site: Site) -> None:
        super().__init__(settings, site)
        self._prefix = settings.prefix or f"{site.environment}/"
        self._client = Client(settings)
        self._ownership = Ownership(self._client, site.environment, settings.name, f"kv:{self._prefix}")
        self._kv = KeyValues(settings, self._prefix, self._client, self._ownership)
        self._singles: tuple[SingleType, ...] = ()
        """In the order in which they need each other."""

    def scope(self) -> frozenset[str]:
        claims = [pattern.partition("*")[0] for pattern in self.settings.only if not pattern.startswith(("kv:", "*"))]
        if any(pattern.startswith(("kv:", "*")) for pattern in self.settings.only):
            claims.append(f"kv:{self._prefix}")
        where = f"{self.settings.address} {self.settings.datacenter}".rstrip()
        return frozenset(f"{where} {claim}" for claim in claims)

    def parse(self, files: Files) -> State:
        taken: dict[str, dict[str, bytes]] = {kind.label: {} for kind in self._types}
        for path, content in files.items():
            kind = next((kind for kind in self._types if kind.files.fullmatch(path)), None)
            if kind is not None:
                taken[kind.label][path] = content
            elif not _IGNORED.fullmatch(path):
                known = ", ".join(kind.example for kind in self._types)
                raise InvalidRevision(f"is nothing that a consul folder holds: {known}", file=path)
        state = collect(resource for kind in self._types for resource in kind.parse(taken[kind.label]))
        try:
            self._ownership.check(state.resources.keys())
        except InvalidRevision as error:
            raise InvalidRevision(error.message, file=next(iter(files))) from None
        return state

    def observe(self, desired: State) -> State:
        for resource in desired:
            if not self.settings.allows(resource.name):
                raise _invalid(resource, f"{resource.name} is not among what agent.toml lets this target own")
        record = self._ownership.look()
        found: list[Resource] = []
        for kind in self._types:
            wanted = [resource for resource in desired if _label(resource.name) == kind.label]
            owned = frozenset(filter(self.settings.allows, record.of(kind.label)))
            # What a target never had to do with needs no permission either.
            if wanted or owned or kind is self._kv:
                found += [resource for resource in kind.observe(wanted, owned) if self.settings.allows(resource.name)]
        return State.of(*found)

    def apply(self, plan: Plan) -> Iterator[Batch]:
        """Names are claimed before the first creation and dropped after the last deletion; where only keys change, in the same
        transaction. Should the agent die in between, a claimed name without an object is simply created by the next run."""
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            yield adopted
        puts = plan.only(Action.CREATE, Action.UPDATE).changes
        deletes = plan.only(Action.DELETE).changes
        yield from self._put(puts)
        yield from self._delete(deletes)

    def _put(self, changes: Sequence[Change]) -> Iterator[Batch]:
        claim = self._ownership.rewriting(self._ownership.record.names | {change.name for change in changes})
        if any(_label(change.name) != "kv" for change in changes):
            self._ownership.write(claim)
            claim = None
        for kind in self._singles:
            for change in _of(kind, changes):
                kind.put(change)
                yield (change,)
        yield from self._kv.apply(_of(self._kv, changes), first=claim)

    def _delete(self, changes: Sequence[Change]) -> Iterator[Batch]:
        names = self._ownership.record.names
        gone = {change.name for change in changes} | set(self._kv.forgotten(names))
        if all(_label(change.name) == "kv" for change in changes):
            yield from self._kv.apply(changes, last=self._ownership.rewriting(names - gone))
            return
        yield from self._kv.apply(_of(self._kv, changes))
        for kind in reversed(self._singles):
            for change in _of(kind, changes):
                kind.delete(change)
                yield (change,)
        self._ownership.write(self._ownership.rewriting(names - gone))

    def health(self) -> Health:
        answer = self._client.read("/v1/status/leader", needs="access to the status")
        return HEALTHY if answer.data else Health(HealthStatus.PROGRESSING, "consul has no leader")

    def watch(self) -> Iterator[str]:
        return self._kv.watch()

    def close(self) -> None:
        self._client.close()

    @property
    def _types(self) -> tuple[ResourceType, ...]:
        return (*self._singles, self._kv)


def _label(name: str) -> str:
    return name.partition(":")[0]


def _of(kind: ResourceType, changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if _label(change.name) == kind.label]


def _invalid(resource: Resource, message: str) -> InvalidRevision:
    origin = resource.origin
    return InvalidRevision(message, file=origin.file if origin else "", line=origin.line if origin else 0)
