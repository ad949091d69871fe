"""The target: what one folder says of one PostgreSQL server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from gitops_agent.errors import InvalidRevision, UnsafePlan
from gitops_agent.model import HEALTHY, Action, Batch, Change, Files, Health, HealthStatus, Resource, State
from gitops_agent.plan import Plan
from gitops_agent.target import Site, Target, collect
from gitops_agent.targets.postgres.databases import Databases
from gitops_agent.targets.postgres.declared import mentioned, parse
from gitops_agent.targets.postgres.holdings import Holdings
from gitops_agent.targets.postgres.mark import Mark
from gitops_agent.targets.postgres.roles import Roles
from gitops_agent.targets.postgres.session import Server
from gitops_agent.targets.postgres.settings import PostgresSettings

_FILES = re.compile(r"(roles|databases)(-[^/]+)?\.ya?ml")
_IGNORED = re.compile(r"\.[^/]*|[^/]*\.md")
"""`.gitkeep`, `README.md`: for people."""
_UNCHANGEABLE = ("encoding", "locale")


class Postgres(Target):
    """Roles with passwords and memberships, databases with owners and grants."""

    Settings = PostgresSettings

    def __init__(self, settings: PostgresSettings, site: Site, *, reads_only: bool = False) -> None:
        super().__init__(settings, site)
        self._server = Server(settings, reads_only=reads_only)
        mark = Mark(f"{site.environment}/{settings.name}")
        self._roles = Roles(self._server, mark)
        self._databases = Databases(self._server, mark)
        self._holdings = Holdings()

    def scope(self) -> frozenset[str]:
        where = f"{self.settings.host}:{self.settings.port}"
        return frozenset(f"{where} {pattern.partition('*')[0]}" for pattern in self.settings.only)

    def parse(self, files: Files) -> State:
        for path in files:
            if not _FILES.fullmatch(path) and not _IGNORED.fullmatch(path):
                raise InvalidRevision("is nothing that a postgres folder holds: roles.yaml, databases.yaml", file=path)
        return collect(parse(files, self.site.key))

    def observe(self, desired: State) -> State:
        self.settings.refuse_others(desired)
        found: list[Resource] = []
        with self._server.session() as session:
            self._refuse_unknown(desired, self._roles.names(session))
            self._holdings = Holdings.look(session)
            for kind in (self._roles, self._databases):
                wanted = {resource.name: resource for resource in desired if resource.name.startswith(f"{kind.label}:")}
                found += kind.observe(session, wanted)
        return State.of(*(resource for resource in found if self.settings.allows(resource.name)))

    def review(self, plan: Plan) -> Plan:
        for change in plan.without(Action.ADOPT):
            self._refuse_loss(plan.target, change)
        deleted = plan.only(Action.DELETE).changes
        if not self.settings.allow_destroy and deleted and len(deleted) >= plan.owned and not plan.only(Action.CREATE):
            # What is kept below would hide from the guard that nobody can have meant this.
            raise UnsafePlan(f"{plan.target}: would delete everything ({len(deleted)} owned), and allow_destroy is off")
        dropped = {_bare(change) for change in deleted if change.name.startswith("database:")}
        gone = dropped if self.settings.allow_destroy else set()
        plan = replace(plan, changes=tuple(self._with_losses(change, gone) for change in plan))
        return plan if self.settings.allow_destroy else plan.sparing(lambda change: bool(change.destructive))

    def apply(self, plan: Plan) -> Iterator[Batch]:
        adopted = plan.only(Action.ADOPT).changes
        if adopted:
            yield adopted
        for change in plan.only(Action.CREATE, Action.UPDATE):
            (self._roles if change.name.startswith("role:") else self._databases).put(change)
            yield (change,)
        # Databases first: with them go what roles own in them, and privileges on it.
        for change in sorted(plan.only(Action.DELETE), key=lambda change: change.name.startswith("role:")):
            if change.name.startswith("role:"):
                self._roles.delete(change, self._holdings)
            else:
                self._databases.delete(change)
            yield (change,)

    def health(self) -> Health:
        with self._server.session() as session:
            if session.value("SELECT pg_is_in_recovery()"):
                return Health(HealthStatus.DEGRADED, "the server takes no writes: it is a standby, or recovering")
        return HEALTHY

    def reader(self) -> Target | None:
        return None if self.settings.preview_password_file is None else Postgres(self.settings, self.site, reads_only=True)

    def _refuse_unknown(self, desired: State, existing: frozenset[str]) -> None:
        declared = {resource.name for resource in desired}
        for resource in desired:
            for role in mentioned(resource):
                if role not in existing and f"role:{role}" not in declared:
                    raise InvalidRevision.at(
                        f"{resource.name}: there is no role {role!r}, neither here nor in PostgreSQL", resource.origin
                    )

    def _refuse_loss(self, target: str, change: Change) -> None:
        """Raises UnsafePlan for what a later commit could not mend."""
        if change.name in (f"role:{self.settings.user}", f"database:{self.settings.database}"):
            raise UnsafePlan(f"{target}: would {change.action} {change.name}, which the agent itself lives on; do it by hand")
        if change.action is Action.UPDATE and change.before and change.after:
            for field in _UNCHANGEABLE:
                before, after = change.before.spec.get(field), change.after.spec.get(field)
                if before != after:
                    message = f"{change.name} has {field} {before}, which cannot become {after}: dump, drop and restore it by hand"
                    raise UnsafePlan(f"{target}: {message}")

    def _with_losses(self, change: Change, gone: set[str]) -> Change:
        if change.action is not Action.DELETE:
            return change
        if change.name.startswith("database:"):
            return replace(change, destructive=f"all that is in {change.name}")
        held = sorted(self._holdings.of(_bare(change), gone))
        where = ", ".join(name or "the whole server" for name in held)
        return replace(change, destructive=f"what {change.name} owns in {where}") if held else change


def _bare(change: Change) -> str:
    return change.name.partition(":")[2]
