"""Nomad: jobs and variables by namespace, each namespace a target of its own; what belongs to none goes with the default one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from gitops_agent.adopt.described import Described, Entry
from gitops_agent.adopt.left import Why
from gitops_agent.adopt.systems.nomad import access, jobs, variables
from gitops_agent.adopt.systems.source import Source
from gitops_agent.adopt.tables import Table
from gitops_agent.errors import AgentError

_DEFAULT = "default"
_Found: TypeAlias = Iterator[tuple[str, Entry]]
"""Each with its namespace."""


def describe(source: Source) -> Iterator[Described]:
    """The default namespace first: it makes the others."""
    namespaces: dict[str, list[Entry]] = defaultdict(list)
    for namespace, entry in jobs.describe(source):
        namespaces[namespace].append(entry)
    beside: Mapping[str, Callable[[Source], _Found]] = {
        "variables": variables.describe,
        "namespaces, ACL policies and roles": lambda source: ((_DEFAULT, entry) for entry in access.describe(source)),
    }
    for what, how in beside.items():
        try:
            for namespace, entry in [*how(source)]:
                namespaces[namespace].append(entry)
        except AgentError as error:
            source.left.add(Why.ATTENTION, f"nomad's {what}", str(error))
    for namespace in sorted(namespaces, key=lambda name: (name != _DEFAULT, name)):
        settings = {**source.settings, "namespace": namespace, "secrets": ["file:*"]}
        if namespace == _DEFAULT:
            table = Table("nomad", "nomad", settings)
        else:
            table = Table("nomad", f"nomad-{namespace.lower()}", {**settings, "only": ["job:*", "variable:*"]})
        yield Described(table, tuple(namespaces[namespace]))
