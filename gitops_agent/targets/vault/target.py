"""The target: what one folder says of one Vault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from gitops_agent.adopted import Adopted
from gitops_agent.errors import InvalidRevision
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.system_target import Noted, Types, label
from gitops_agent.target import Site, Target
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

_HOLDING = {"engine": "all that is in {}", "auth": "all tokens that were issued through {}, and its roles"}
"""What is lost with resources of a type."""


class Vault(Target):
    """Policies, engines, auth methods, what they are configured with, and KV entries."""

    Settings = VaultSettings
    serves_secrets = True
    not_looked_at: ClassVar[frozenset[str]] = frozenset()
    """Labels of what is not asked for, whoever owns it."""

    def __init__(self, settings: VaultSettings, site: Site) -> None:
        super().__init__(settings, site)
        self._client = Client(Access.of(settings))
        self._record = Record(self._client, settings.record, f"{site.environment}/{settings.name}")
        self._adopted = Adopted(site.directory)
        engines = Engines(self._client, settings.record)
        # In the order in which they need each other.
        types: tuple[ResourceType, ...] = (
            engines,
            AuthMethods(self._client, settings.record),
            Policies(self._client),
            Paths(self._client, engines, site),
            AuditDevices(self._client),
            Entries(self._client, engines, settings.record),
            Tokens(self._client, self._record, settings, site),
        )
        self._types = Types(settings.kind, types)
        self._noted = Noted(self._types, self._record, self._adopted, NOTHING, settings.allows)
        self._own = OwnAccess()
        self._environment = site.environment

    def scope(self) -> frozenset[str]:
        return frozenset(f"{self.settings.address} {pattern.partition('*')[0]}" for pattern in self.settings.only)

    def parse(self, files: Files) -> State:
        state = self._types.parse(files)
        try:
            self._record.check([*state.resources])
        except InvalidRevision as error:
            raise InvalidRevision(error.message, file=next(iter(files))) from None
        return state

    def observe(self, desired: State) -> State:
        from gitops_agent import metrics

        self.settings.refuse_others(desired)
        if self.settings.unseal_keys_file is not None:  # the one thing that looking changes: nothing can be seen before
            self._client.unseal(self.settings.unseal_keys_file)
        adopted = {name: Note(written) for name, written in self._adopted.notes().items()}
        known = {**adopted, **self._record.look()}
        allowed = (name for name in known if self.settings.allows(name) and label(name) not in self.not_looked_at)
        owned = {name: known[name] for name in allowed}
        # What a target never had to do with is not asked for, and needs no permission.
        concerned = {label(name) for name in (*desired.resources, *owned)}
        if concerned & {"path", "kv"}:
            concerned.add("engine")
        found: list[Resource] = []
        for kind in self._types:
            if kind.label in concerned:
                wanted = {resource.name: resource for resource in desired if label(resource.name) == kind.label}
                found += kind.observe(wanted, {name: note for name, note in owned.items() if label(name) == kind.label})
        self._noted.found = {resource.name for resource in found}
        self._own = OwnAccess.look(self._client)
        if self.settings.token_file is not None:  # by its AppRole the agent gets a new one when it wants
            metrics.own_token(self._environment, self.settings.name, self._own.ends)
        return State.of(*found)

    def review(self, plan: Plan) -> Plan:
        self._own.refuse_loss(plan)
        plan = plan if self.settings.allow_destroy else plan.sparing(_holds_data)
        return self._types.ordered(replace(plan, changes=tuple(_with_losses(with_reason(change)) for change in plan)))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        return self._noted.apply(plan)

    def health(self) -> Health:
        """Raises Unavailable while Vault is sealed or has no active node."""
        self._client.read("auth/token/lookup-self")
        return HEALTHY

    def reader(self) -> Target | None:
        file = self.settings.preview_token_file
        update = {"token_file": file, "preview_token_file": None, "role_id": "", "secret_id_file": None, "unseal_keys_file": None}
        return None if file is None else _Reader(self.settings.model_copy(update=update), self.site)

    def close(self) -> None:
        self._client.close()


class _Reader(Vault):
    """Needs no right to read a secret, nor the file of a token."""

    not_looked_at = frozenset({"kv", "token"})

    def tells(self, resource: Resource) -> bool:
        return label(resource.name) not in self.not_looked_at and super().tells(resource)


def _holds_data(change: Change) -> bool:
    return change.action is Action.DELETE and label(change.name) in _HOLDING


def _with_losses(change: Change) -> Change:
    return replace(change, destructive=_HOLDING[label(change.name)].format(change.name)) if _holds_data(change) else change
