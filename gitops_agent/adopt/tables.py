"""The tables of agent.toml: one a target, in the order in which they are applied."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any


@dataclass(frozen=True)
class Table:
    """One `[[environments.NAME.targets]]`; `settings` besides kind and name. `why` is a line for people."""

    kind: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""

    @property
    def where(self) -> str:
        """What it is on the host."""
        if "host" in self.settings:
            return f"{self.settings['host']}:{self.settings['port']}"
        return str(self.settings.get("directory") or self.settings.get("address", ""))

    def values(self) -> dict[str, Any]:
        """As agent.toml has them."""
        return {"kind": self.kind, "name": self.name, **{name: _plain(value) for name, value in self.settings.items()}}


def text(environment: str, source: Path, state: Path, secrets: Path, tables: Sequence[Table]) -> str:
    """All of agent.toml."""
    head = [
        "# Where everything is that this repository describes. Written by `gitops-agent adopt`; yours from now on.",
        f"state = {_value(state)}",
        "",
        "[secrets]",
        f"directory = {_value(secrets)}",
        "",
        f"[environments.{environment}]",
        "# Where this repository lies now; its address in Gitea, with token_file, once it is there.",
        f"source = {_value(source)}",
    ]
    for table in tables:
        head += ["", *([f"# {table.why}"] if table.why else []), f"[[environments.{environment}.targets]]"]
        head += [f"{name} = {_value(value)}" for name, value in table.values().items()]
    return "\n".join(head) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, PurePath) else value


def _value(value: object) -> str:
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(str(value), ensure_ascii=False)
