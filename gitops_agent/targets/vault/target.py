"""The target: what one folder says of one Vault."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from gitops_agent.adopted import Adopted
from gitops_agent.errors import AgentError, InvalidRevision
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import Site, Target, collect
from gitops_agent.targets.vault.access import Access
from gitops_agent.targets.vault.audit import AuditDevices
from gitops_agent.targets.vault.client import Client
from gitops_agent.targets.vault.entries import Entries
from gitops_agent.targets.vault.mounts import AuthMethods, Engines
from gitops_agent.targets.vault.own_access import OwnAccess
from gitops_agent.targets.vault.paths import Paths
from gitops_agent.targets.vault.policies import Policies
from gitops_agent.targets.vault.record import Note, Record
from gitops_agent.targets.vault.resource_type import NOTHING, ResourceType
from gitops_agent.targets.vault.settings import VaultSettings
from gitops_agent.targets.vault.tokens import Tokens, with_reason

_IGNORED = re.compile(r"\.[^/]*|[^/]*\.md")
"""`.gitkeep`, `README.md`: for people."""
_HOLDING = {"engine": "all that is in {}", "auth": "all tokens that were issued through {}, and its roles"}
"""What is lost with resources of a type."""


class Vault(Target):
    """Policies, engines, auth methods, what they are configured with, and KV entries."""

    Settings = VaultSettings
    serves_secrets = True

    def __init__(self, settings: VaultSettings, site: Site) -> None:
        super().__init__(settings, site)
        self._client = Client(Access.of(settings))
        self._record = Record(self._client, settings.record, f"{site.environment}/{settings.name}")
        self._adopted = Adopted(site.directory)
        engines = Engines(self._client, settings.record)
        # In the order in which they need each other.
        self._types: tuple[ResourceType, ...] = (
            engines,
            AuthMethods(self._client, settings.record),
            Policies(self._client),
            Paths(self._client, engines, site),
            AuditDevices(self._client),
            Entries(self._client, engines, settings.record),
            Tokens(self._client, self._record, settings, site),
        )
        self._found: set[str] = set()
        self._own = OwnAccess()

    def scope(self) -> frozenset[str]:
        return frozenset(f"{self.settings.address} {pattern.partition('*')[0]}" for pattern in self.settings.only)

    def parse(self, files: Files) -> State:
        taken: dict[str, dict[str, bytes]] = {kind.label: {} for kind in self._types}
        for path, content in files.items():
            kind = next((kind for kind in self._types if kind.files.fullmatch(path)), None)
            if kind is not None:
                taken[kind.label][path] = content
            elif not _IGNORED.fullmatch(path):
                known = ", ".join(kind.example for kind in self._types)
                raise InvalidRevision(f"is nothing that a vault folder holds: {known}", file=path)
        state = collect(resource for kind in self._types for resource in kind.parse(taken[kind.label]))
        try:
            self._record.check([*state.resources])
        except InvalidRevision as error:
            raise InvalidRevision(error.message, file=next(iter(files))) from None
        return state

    def observe(self, desired: State) -> State:
        self.settings.refuse_others(desired)
        adopted = {name: Note(written) for name, written in self._adopted.notes().items()}
        known = {**adopted, **self._record.look()}
        owned = {name: note for name, note in known.items() if self.settings.allows(name)}
        # What a target never had to do with is not asked for, and needs no permission.
        concerned = {_label(name) for name in (*desired.resources, *owned)}
        if concerned & {"path", "kv"}:
            concerned.add("engine")
        found: list[Resource] = []
        for kind in self._types:
            if kind.label in concerned:
                wanted = {resource.name: resource for resource in desired if _label(resource.name) == kind.label}
                found += kind.observe(wanted, {name: note for name, note in owned.items() if _label(name) == kind.label})
        self._found = {resource.name for resource in found}
        self._own = OwnAccess.look(self._client)
        return State.of(*found)

    def review(self, plan: Plan) -> Plan:
        self._own.refuse_loss(plan)
        kept = [change for change in plan if self.settings.allow_destroy or not _holds_data(change)]
        return replace(plan, changes=tuple(sorted(map(_with_losses, map(with_reason, kept)), key=self._position)))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        """Names are claimed before the first creation and dropped after the last deletion. Should the agent die in between, a
        claimed name without an object is simply created by the next run, and what it did not note is written once more."""
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            self._adopted.add({change.name: self._type(change).adopt(change).written for change in adopted})
            yield adopted
        yield from self._put(plan.only(Action.CREATE, Action.UPDATE).changes)
        yield from self._delete(plan.only(Action.DELETE).changes)

    def _put(self, changes: Sequence[Change]) -> Iterator[Batch]:
        notes = self._record.notes
        for change in changes:
            notes.setdefault(change.name, NOTHING)
        self._record.save()
        try:
            for change in changes:
                notes[change.name] = self._type(change).put(change)
                self._adopted.remove(change.name)
                self._found.add(change.name)
                yield (change,)
        except BaseException:
            with suppress(AgentError):  # what went wrong first is what people should hear of
                self._record.save()
            raise
        self._record.save()

    def _delete(self, changes: Sequence[Change]) -> Iterator[Batch]:
        for change in changes:
            self._type(change).delete(change)
            self._adopted.remove(change.name)
            self._found.discard(change.name)
            yield (change,)
        if changes:
            # What others deleted is dropped as well: whoever creates a thing of that name again shall find it to be theirs.
            for name in [*self._record.notes]:
                if self.settings.allows(name) and name not in self._found:
                    del self._record.notes[name]
            self._record.save()

    def health(self) -> Health:
        """Raises Unavailable while Vault is sealed or has no active node."""
        self._client.read("auth/token/lookup-self")
        return HEALTHY

    def reader(self) -> Target | None:
        file = self.settings.preview_token_file
        update = {"token_file": file, "preview_token_file": None, "role_id": "", "secret_id_file": None}
        return None if file is None else Vault(self.settings.model_copy(update=update), self.site)

    def close(self) -> None:
        self._client.close()

    def _type(self, change: Change) -> ResourceType:
        return next(kind for kind in self._types if kind.label == _label(change.name))

    def _position(self, change: Change) -> tuple[int, int]:
        """Where a change stands in a plan: what others need comes first and goes last."""
        place = [kind.label for kind in self._types].index(_label(change.name))
        return (1, -place) if change.action is Action.DELETE else (0, place)


def _label(name: str) -> str:
    return name.partition(":")[0]


def _holds_data(change: Change) -> bool:
    return change.action is Action.DELETE and _label(change.name) in _HOLDING


def _with_losses(change: Change) -> Change:
    return replace(change, destructive=_HOLDING[_label(change.name)].format(change.name)) if _holds_data(change) else change
