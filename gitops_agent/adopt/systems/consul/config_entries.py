"""Config entries: a file each, as `consul config read` shows them, without what Consul adds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitops_agent.adopt.described import Entry, Part
from gitops_agent.adopt.systems.source import Source
from gitops_agent.targets.consul import likeness
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.config_entries import ConfigEntries

_SECRET = "PrivateKey"  # noqa: S105 -- of an inline certificate: a field's name


def describe(source: Source, client: Client) -> Iterator[Entry]:  # noqa: ARG001 -- as the others
    for found in ConfigEntries(client).everything():
        kind, _, name = found.name.partition(":")[2].partition("/")
        file = f"config-entries/{kind}/{re.sub(r'[^A-Za-z0-9_.-]', 'any', name)}.yaml"
        fields = {"Kind": kind, "Name": name, **likeness.said(found.spec)}
        parts = tuple(Part(file, value, field) for field, value in fields.items())
        secrets = ((f"{name} {_SECRET}", str(fields[_SECRET])),) if _SECRET in fields else ()
        yield Entry(f"config entry {kind}/{name}", parts, secrets)
