"""Tokens of programs that know nothing but a token: `tokens.yaml`. Each is periodic and nobody's child, lies in a file of the
agent's secrets, and is renewed by the agent when half of its time is over.

One that has to be replaced is left to its users: they get the new one from the file, in that run or the next. The old one is
revoked as the last thing of a later run, when all targets have been applied.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from pydantic import Field, field_validator

from gitops_agent.declared import Declaration, declared
from gitops_agent.errors import ApplyFailed, Conflict, InvalidRevision
from gitops_agent.model import Action, Change, Files, Resource
from gitops_agent.target import Site
from gitops_agent.targets.vault import likeness
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.issuing import Issuing, could_be_one
from gitops_agent.targets.vault.record import Note, Record
from gitops_agent.targets.vault.resource_type import NOTHING, Notes, Resources, ResourceType
from gitops_agent.targets.vault.settings import VaultSettings

_VALID = "valid"
_EXPIRES = "expires "
_GONE = "Vault does not know it any more: it has expired or was revoked"
_EMPTY = "its file is empty"
_UNFINISHED = "one was issued and not handed over"
_ANOTHER = "its file holds another token"
_REPLACED = "another has taken its place"
_SHOWN_OF_ACCESSOR = 8


class _Token(Declaration):
    policies: tuple[str, ...] = Field(min_length=1)
    period: str = "768h"
    secret: str = Field(default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")

    @field_validator("period")
    @classmethod
    def _lasting(cls, period: str) -> str:
        if not likeness.seconds(period):
            raise ValueError("is no duration such as 768h")
        return period

    @field_validator("policies")
    @classmethod
    def _not_root(cls, policies: tuple[str, ...]) -> tuple[str, ...]:
        if "root" in policies:
            raise ValueError("no program gets a root token")
        return tuple(sorted({policy.lower() for policy in policies} - {"default"}))


class Tokens(ResourceType):
    """Notes hold the accessor of the token in use, the name of its file, and the accessors of those it replaced, which are
    resources of their own, `token:NAME@ACCESSOR`, until they are revoked."""

    label: ClassVar = "token"
    files: ClassVar[re.Pattern[str]] = re.compile(r"tokens(-[^/]+)?\.ya?ml")
    example: ClassVar = "tokens.yaml"

    def __init__(self, client: Client, record: Record, settings: VaultSettings, site: Site) -> None:
        self._record = record
        self._settings = settings
        self._labels = site.environment, str(settings.name)
        self._issuing = Issuing(client, settings, site)
        self._notes: Notes = {}
        """As observed, with those of what was adopted, which are not in the record."""
        self._ends: Mapping[str, float] = {}
        """Epoch seconds by name, as measured."""

    def parse(self, files: Files) -> Iterator[Resource]:
        taken: dict[str, str] = {}
        for one in declared(files, _Token, re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")):
            token, file, line = one.value, one.origin.file, one.origin.line
            kept = token.secret or one.name
            if self._settings.token_directory is None:
                raise InvalidRevision("tokens need a place: token_directory in agent.toml", file=file, line=line)
            if not any(fnmatchcase(f"file:{kept}", pattern) for pattern in self._settings.secrets):
                raise InvalidRevision(f"agent.toml does not let this target use file:{kept}", file=file, line=line)
            if taken.setdefault(kept, one.name) != one.name:
                raise InvalidRevision(f"{kept} keeps the token {taken[kept]} already", file=file, line=line)
            spec = {"policies": [*token.policies], "period": token.period, "secret": kept, "state": _VALID}
            yield Resource(f"token:{one.name}", spec, origin=one.origin)

    def observe(self, desired: Resources, owned: Notes) -> Iterator[Resource]:
        self._notes = dict(owned)
        ends: dict[str, float] = {}
        for name in {**desired, **owned}:
            note, wanted = owned.get(name, NOTHING).written, desired.get(name)
            value = self._issuing.kept(note.get("secret") or (str(wanted.spec["secret"]) if wanted else ""))
            found = self._issuing.look(value)
            if found is not None and found["ttl"]:
                ends[_bare(name)] = time.time() + found["ttl"]
            if found is not None or note or (name in owned and self._issuing.unfinished(_bare(name), value)):
                yield Resource(name, self._spec(found, value, wanted, name), owned=name in owned)
            current = found["accessor"] if found else ""
            for accessor in _replaced(note):
                if accessor != current:
                    yield Resource(f"{name}@{accessor[:_SHOWN_OF_ACCESSOR]}", {})
        self._measure(ends)

    def _spec(self, found: Mapping[str, Any] | None, value: str, wanted: Resource | None, name: str) -> dict[str, Any]:
        said, note = wanted.spec if wanted else {}, self._notes.get(name, NOTHING).written
        kept = note.get("secret") or said.get("secret", "")
        if found is None:
            return {**said, "secret": kept, "state": _GONE if value else _EMPTY}
        policies = sorted({*found["policies"]} - {"default"})
        period = found.get("period", 0)
        if said and likeness.same(said["period"], period):
            period = said["period"]
        state = _VALID
        if self._issuing.unfinished(_bare(name), value) or (name in self._notes and not note):
            state = _UNFINISHED
        elif note and note["accessor"] != found["accessor"]:
            state = _ANOTHER
        elif note and found.get("period") and found["ttl"] < found["creation_ttl"] / 2:  # somebody else's is adopted first
            state = f"{_EXPIRES}{_in_words(found['ttl'])}"
        return {"policies": policies, "period": period, "secret": kept, "state": state}

    def put(self, change: Change) -> Note:
        spec, note = change.resource.spec, self._note(change.name)
        before = change.before.spec if change.before else {}
        name, file = _bare(change.name), str(spec["secret"])
        value = self._issuing.kept(file)
        if str(before.get("state", "")).startswith(_EXPIRES) and {**before, "state": _VALID} == spec:
            return self._renew(change.name, value, note)
        known = self._issuing.look(value)
        if value and (note["secret"] != file if note else known is None and not could_be_one(value)):
            raise ApplyFailed(f"{change.name}: file:{file} holds something else; take it away first")
        # A Vault that was set up anew is told what its clients were given; what has expired or was revoked never comes back.
        chosen = value if value and known is None and not note else self._issuing.begin(name, value)
        issued = self._issuing.issue(name, chosen, spec["policies"], likeness.seconds(spec["period"]) or 0)
        self._measure({**self._ends, name: time.time() + issued["ttl"]})
        accessor = str(issued["accessor"])
        old = {*_replaced(note), note.get("accessor", ""), str(known["accessor"]) if known else ""} - {"", accessor}
        made = Note({"accessor": accessor, "secret": file, **({"replaced": " ".join(sorted(old))} if old else {})})
        self._record.notes[change.name] = made
        self._record.save()
        self._issuing.hand_over(name, file, chosen)
        if note.get("secret", file) != file:
            self._issuing.forget(note["secret"])
        return made

    def delete(self, change: Change) -> None:
        name, _, short = change.name.partition("@")
        note = self._note(name)
        if short:
            gone = [accessor for accessor in _replaced(note) if accessor.startswith(short)]
            self._issuing.revoke(*gone)
            left = " ".join(accessor for accessor in _replaced(note) if accessor not in gone)
            kept = {field: text for field, text in note.items() if field != "replaced"}
            self._record.notes[name] = Note({**kept, **({"replaced": left} if left else {})})
            return
        self._issuing.abandon(_bare(name))
        self._measure({other: end for other, end in self._ends.items() if other != _bare(name)})
        value = self._issuing.kept(note.get("secret", ""))
        found = self._issuing.look(value)
        self._issuing.revoke(*{*_replaced(note), note.get("accessor", "")} - {""})
        if found and found["accessor"] == note.get("accessor"):
            self._issuing.forget(note["secret"])  # it opens nothing any more

    def adopt(self, change: Change) -> Mapping[str, str]:
        file = str(change.resource.spec["secret"])
        found = self._issuing.look(self._issuing.kept(file)) or {}
        return {"accessor": str(found.get("accessor", "")), "secret": file}

    def _note(self, name: str) -> Mapping[str, str]:
        """What is known of a token: from the record, where this run may have written it, else as it was adopted."""
        written = self._record.notes.get(name, NOTHING).written
        return written or self._notes.get(name, NOTHING).written

    def _renew(self, name: str, value: str, note: Mapping[str, str]) -> Note:
        found = self._issuing.look(value) if self._issuing.renew(value) else None
        if found is None:
            raise Conflict(f"{name} was revoked in the meantime")
        self._measure({**self._ends, _bare(name): time.time() + found["ttl"]})
        return Note({**note, "accessor": str(found["accessor"])})

    def _measure(self, ends: Mapping[str, float]) -> None:
        from gitops_agent import metrics

        for name, end in ends.items():
            metrics.token_expiry.labels(*self._labels, name).set(end)
        for name in self._ends.keys() - ends.keys():
            metrics.token_expiry.remove(*self._labels, name)
        self._ends = ends


def with_reason(change: Change) -> Change:
    """Of a token: time that has come is nobody's doing."""
    if not change.name.startswith("token:") or change.before is None:
        return change
    if change.action is Action.DELETE and "@" in change.name:
        return replace(change, reason=_REPLACED, follows=True)
    if change.after is None or {**change.before.spec, "state": _VALID} != change.after.spec:
        return change
    state = str(change.before.spec["state"])
    return replace(change, reason=state, diff="", follows=state.startswith(_EXPIRES)) if state != _VALID else change


def _bare(name: str) -> str:
    return name.removeprefix("token:")


def _replaced(note: Mapping[str, Any]) -> list[str]:
    return str(note.get("replaced", "")).split()


def _in_words(seconds: float) -> str:
    for unit, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"in {int(seconds // unit)} {word}"
    return f"in {int(seconds)} seconds"
