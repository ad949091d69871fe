"""Things of a system as files of a target's folder, and only those that the target finds to be exactly so."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

from gitops_agent import targets
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.secrets_found import can_be_taken_out
from gitops_agent.adopt.tables import Table
from gitops_agent.errors import InvalidRevision, Unavailable
from gitops_agent.model import Action
from gitops_agent.plan import compare
from gitops_agent.target import Site, Target


class Part(NamedTuple):
    """A file, whose content `value` is, or `key: value` in a YAML file. `parsed`: the target takes a whole file apart, too."""

    file: str
    value: Any
    key: str = ""
    parsed: bool = False


@dataclass(frozen=True)
class Entry:
    """One thing of a system; `said` is how people call it. The first part is the thing itself, others go with it. `secrets` are
    values in it, after what they are called, that are some whatever they look like."""

    said: str
    parts: tuple[Part, ...]
    secrets: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, said: str, file: str, value: Any, key: str = "", secrets: tuple[tuple[str, str], ...] = ()) -> Entry:
        return cls(said, (Part(file, value, key),), secrets)


@dataclass(frozen=True)
class Described:
    table: Table
    entries: tuple[Entry, ...]

    def files(self) -> dict[str, bytes]:
        return assembled(self.entries)

    def parsed(self) -> frozenset[str]:
        """Files that the target takes apart before it learns any secret: values then stand in them as they are."""
        return frozenset(part.file for entry in self.entries for part in entry.parts if part.key or part.parsed)


def assembled(entries: Sequence[Entry]) -> dict[str, bytes]:
    """By path. What several entries say with the same key of a file are lists, which become one."""
    files: dict[str, bytes] = {}
    tables: dict[str, dict[str, Any]] = {}
    for part in (part for entry in entries for part in entry.parts):
        if part.key:
            table = tables.setdefault(part.file, {})
            table[part.key] = [*table[part.key], *part.value] if part.key in table else part.value
        else:
            files[part.file] = part.value if isinstance(part.value, bytes) else str(part.value).encode()
    return files | {file: _dumped(table) for file, table in tables.items()}


def settled(described: Described, environment: str, left: Left) -> Described | None:
    """Without what the target would refuse or write; that is told. None where nothing is left. Raises Unavailable."""
    table = described.table
    with TemporaryDirectory(prefix="gitops-agent-") as temporary:
        kind = targets.load(table.kind)
        site = Site(environment, Path(temporary), secrets.token_bytes(32))
        with closing(kind(kind.Settings.model_validate(table.values()), site)) as target:
            entries = _as_they_are(target, [entry for entry in described.entries if _parses(target, entry, left)], left)
    return Described(table, tuple(entries)) if entries else None


def _parses(target: Target, entry: Entry, left: Left) -> bool:
    try:
        target.parse(assembled([entry]))
    except InvalidRevision as error:
        left.add(Why.SYSTEM, entry.said, error.message)
        return False
    text = "\n".join(content.decode(errors="replace") for content in assembled([entry]).values())
    for name, value in entry.secrets:
        if not can_be_taken_out(text, value):
            left.add(Why.SYSTEM, entry.said, f"{name} is a secret that no reference could stand for: keep it by hand")
            return False
    return True


def _as_they_are(target: Target, entries: list[Entry], left: Left) -> list[Entry]:
    while entries:
        wanted = target.parse(assembled(entries))
        try:
            found = target.observe(wanted)
        except InvalidRevision as error:
            refused = {resource.name: error.message for resource in wanted if _is_at(resource.origin, error)}
            if not refused:
                raise Unavailable(str(error)) from None
        else:
            plan = compare(target.name, wanted, found, prune=False)
            refused = {change.name: _why(change.action, change.reason) for change in plan if change.action is not Action.ADOPT}
            if not refused:
                return entries
        kept = []
        for entry in entries:
            why = [refused[name] for name in target.parse(assembled([entry])).resources if name in refused]
            if why:
                left.add(Why.SYSTEM, entry.said, why[0])
            else:
                kept.append(entry)
        entries = kept
    return entries


def _is_at(origin: Any, error: InvalidRevision) -> bool:
    return origin is not None and origin.file == error.file and (not error.line or origin.line in (0, error.line))


def _why(action: Action, reason: str) -> str:
    return f"cannot be said as it is: {reason}" if action is not Action.CREATE else "is gone"


class _Dumper(yaml.SafeDumper):
    """Texts between quotes, so that none is taken for a number."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 -- PyYAML's signature
        return True


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def _dumped(table: Mapping[str, Any]) -> bytes:
    lines = [f"{_plain(key)}: {_flow(value)}" for key, value in sorted(table.items())]
    return ("\n".join(lines) + "\n").encode()


def _plain(key: str) -> str:
    return str(yaml.safe_dump(key, width=1 << 20, allow_unicode=True)).removesuffix("\n").removesuffix("\n...")


def _flow(value: Any) -> str:
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=1 << 20, allow_unicode=True, sort_keys=False)
    return str(text).removesuffix("\n").removesuffix("\n...")
