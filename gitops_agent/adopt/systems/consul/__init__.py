"""Consul: keys by their first part, each prefix a target of its own; ACLs, config entries and external nodes in one more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

from gitops_agent.adopt.described import Described, Entry
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.consul import acl, catalog, config_entries, keys
from gitops_agent.adopt.systems.source import Source
from gitops_agent.adopt.tables import Table
from gitops_agent.errors import AgentError
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.settings import ConsulSettings

_BESIDE_KEYS: Mapping[str, Callable[[Source, Client], Iterator[Entry]]] = {
    "ACLs": acl.describe,
    "config entries": config_entries.describe,
    "external nodes": catalog.describe,
}
_ONLY = [f"{label}:*" for label in ConsulSettings.labels if label != "kv"]


def describe(source: Source) -> Iterator[Described]:
    yield from keys.describe(source)
    table = Table("consul", "consul", {**source.settings, "only": _ONLY, "secrets": ["file:*"]})
    entries: list[Entry] = []
    with closing(Client(ConsulSettings.model_validate(table.values()))) as client:
        for what, how in _BESIDE_KEYS.items():
            try:
                entries += [*how(source, client)]
            except AgentError as error:
                source.left.add(Why.ATTENTION, f"consul's {what}", str(error))
    yield Described(table, tuple(entries))
