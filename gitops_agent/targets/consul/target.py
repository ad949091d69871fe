"""The target: what one folder says of one Consul."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, HealthStatus, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.system_target import Types, label
from gitops_agent.target import Site, Target
from gitops_agent.targets.consul import links
from gitops_agent.targets.consul.acl import AclType
from gitops_agent.targets.consul.auth_methods import AuthMethods
from gitops_agent.targets.consul.binding_rules import BindingRules
from gitops_agent.targets.consul.client import Client
from gitops_agent.targets.consul.config_entries import ConfigEntries
from gitops_agent.targets.consul.kv import KeyValues
from gitops_agent.targets.consul.nodes import ExternalNodes
from gitops_agent.targets.consul.own_access import OwnAccess
from gitops_agent.targets.consul.ownership import Ownership
from gitops_agent.targets.consul.policies import Policies
from gitops_agent.targets.consul.resource_type import ResourceType, SingleType
from gitops_agent.targets.consul.roles import Roles
from gitops_agent.targets.consul.settings import ConsulSettings
from gitops_agent.targets.consul.tokens import Tokens
from gitops_agent.targets.consul.transaction import Operation

_LINKED = {"role": {"policy"}, "token": {"policy", "role"}, "binding-rule": {"auth-method"}}
"""Types that must be looked at to tell whether a link leads somewhere."""


class Consul(Target):
    """Keys and values below one prefix, and whatever else the folder declares."""

    Settings = ConsulSettings

    def __init__(self, settings: ConsulSettings, site: Site) -> None:
        super().__init__(settings, site)
        self._prefix = settings.prefix or f"{site.environment}/"
        self._client = Client(settings)
        self._ownership = Ownership(self._client, site.environment, settings.name, f"kv:{self._prefix}")
        self._kv = KeyValues(settings, self._prefix, self._client, self._ownership)
        self._tokens = Tokens(settings, site, self._client)
        acl = (*(kind(self._client) for kind in (Policies, Roles, AuthMethods, BindingRules)), self._tokens)
        # In the order in which they need each other.
        self._singles: tuple[SingleType, ...] = (*acl, ConfigEntries(self._client), ExternalNodes(self._client))
        types: tuple[ResourceType, ...] = (*self._singles, self._kv)
        self._types = Types(settings.kind, types)
        self._found: set[str] = set()
        self._own = OwnAccess()
        self._environment = site.environment

    def scope(self) -> frozenset[str]:
        claims = [pattern.partition("*")[0] for pattern in self.settings.only if not pattern.startswith(("kv:", "*"))]
        if any(pattern.startswith(("kv:", "*")) for pattern in self.settings.only):
            claims.append(f"kv:{self._prefix}")
        where = f"{self.settings.address} {self.settings.datacenter}".rstrip()
        return frozenset(f"{where} {claim}" for claim in claims)

    def parse(self, files: Files) -> State:
        state = self._types.parse(files)
        try:
            self._ownership.check(state.resources.keys())
        except InvalidRevision as error:
            raise InvalidRevision(error.message, file=next(iter(files))) from None
        return state

    def observe(self, desired: State) -> State:
        from gitops_agent import metrics

        self.settings.refuse_others(desired)
        record = self._ownership.look()
        owned = frozenset(filter(self.settings.allows, record.names))
        # What a target never had to do with is not asked for, and needs no permission.
        concerned = {label(name) for name in (*desired.resources, *owned)} | {"kv"}
        concerned |= {linked for one in concerned for linked in _LINKED.get(one, ())}
        found: list[Resource] = []
        for kind in self._types:
            if kind.label in concerned:
                wanted = [resource for resource in desired if label(resource.name) == kind.label]
                found += kind.observe(wanted, {name for name in owned if label(name) == kind.label})
        self._found = {resource.name for resource in found}
        if any(isinstance(kind, AclType) and kind.label in concerned for kind in self._types):
            links.check(desired, self._found - owned)
            self._own = OwnAccess.look(self._client)
            metrics.own_token(self._environment, self.settings.name, self._own.ends)
        return State.of(*(resource for resource in found if self.settings.allows(resource.name)))

    def review(self, plan: Plan) -> Plan:
        self._own.refuse_loss(plan, self._tokens)
        return replace(plan, changes=tuple(sorted(map(_with_losses, plan), key=self._position)))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        """Names are claimed before the first creation and dropped after the last deletion; where only keys change, in the same
        transaction. Should the agent die in between, a claimed name without an object is simply created by the next run."""
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            yield adopted
        yield from self._put(plan.only(Action.CREATE, Action.UPDATE).changes)
        yield from self._delete(plan.only(Action.DELETE).changes)

    def _put(self, changes: Sequence[Change]) -> Iterator[Batch]:
        names = {change.name for change in changes}
        self._found |= names
        claim = self._ownership.rewriting(self._ownership.record.names | names)
        singles = [change for change in changes if label(change.name) != "kv"]
        if singles:
            self._ownership.write(claim)
        for change in singles:
            self._single(change).put(change)
            yield (change,)
        yield from self._kv.apply([change for change in changes if label(change.name) == "kv"], first=None if singles else claim)

    def _delete(self, changes: Sequence[Change]) -> Iterator[Batch]:
        keys = [change for change in changes if label(change.name) == "kv"]
        singles = [change for change in changes if label(change.name) != "kv"]
        if not singles:
            yield from self._kv.apply(keys, last=self._dropping(changes))
            return
        yield from self._kv.apply(keys)
        for change in singles:
            self._single(change).delete(change)
            yield (change,)
        self._ownership.write(self._dropping(changes))

    def _dropping(self, changes: Sequence[Change]) -> Operation | None:
        """Drops what others deleted as well: whoever creates a thing of that name again shall find it to be theirs."""
        gone = {change.name for change in changes}
        return self._ownership.rewriting(
            {
                name
                for name in self._ownership.record.names
                if name not in gone and (name in self._found or not self._looked_at(name))
            }
        )

    def _looked_at(self, name: str) -> bool:
        """Whether its absence would have been noticed: it is not outside of what this target may own now."""
        return self.settings.allows(name) and (label(name) != "kv" or name.startswith(f"kv:{self._prefix}"))

    def health(self) -> Health:
        answer = self._client.read("/v1/status/leader", needs="access to the status")
        return HEALTHY if answer.data else Health(HealthStatus.PROGRESSING, "consul has no leader")

    def watch(self) -> Iterator[str]:
        return self._kv.watch()

    def reader(self) -> Target | None:
        file = self.settings.preview_token_file
        update = {"token_file": file, "preview_token_file": None, "token_directory": None}
        return None if file is None else Consul(self.settings.model_copy(update=update), self.site)

    def tells(self, resource: Resource) -> bool:
        """Consul shows no token's secret to whoever may only read."""
        return label(resource.name) != "token" and super().tells(resource)

    def close(self) -> None:
        self._client.close()

    def _single(self, change: Change) -> SingleType:
        return next(kind for kind in self._singles if kind.label == label(change.name))

    def _position(self, change: Change) -> tuple[int, ...]:
        """Where a change stands in a plan: links lead to what is there, when it comes and when it goes."""
        kind = self._types.of(change)
        rank = kind.rank(change.name) if isinstance(kind, SingleType) else 0
        return (*self._types.position(change), -rank if change.action is Action.DELETE else rank)


def _with_losses(change: Change) -> Change:
    if change.action is Action.DELETE and label(change.name) == "auth-method":
        return replace(change, destructive=f"tokens issued by {change.name}")
    return change
