"""The writing half: images first, then files, then containers; what was done is noted beside the project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gitops_agent.container.project import ProjectEngine
from gitops_agent.errors import ApplyFailed, CommandFailed
from gitops_agent.model import Action, Change
from gitops_agent.plan import Plan
from gitops_agent.targets.compose import behaviour as behaviours
from gitops_agent.targets.compose.behaviour import RECREATE, RESTART, Behaviour
from gitops_agent.targets.compose.command import Command, failed
from gitops_agent.targets.compose.declared import definition
from gitops_agent.targets.compose.facts import Service
from gitops_agent.targets.compose.inside import Inside
from gitops_agent.targets.compose.observed import Look
from gitops_agent.targets.compose.project_files import PREFIX, ProjectFiles
from gitops_agent.targets.compose.record import Loaded, Record, RecordBeside
from gitops_agent.targets.compose.review import how

_SERVICE = "service:"
_KINDS = ("service", "network", "volume")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Means:
    """What an apply works with."""

    engine: ProjectEngine
    inside: Inside
    command: Command
    files: ProjectFiles
    beside: RecordBeside


class Deploy:
    """One apply of one plan. `folded` are changes of files that the plan does not show."""

    def __init__(self, means: Means, look: Look, folded: Sequence[Change]) -> None:
        self._engine = means.engine
        self._inside = means.inside
        self._command = means.command
        self._files = means.files
        self._beside = means.beside
        self._look = look
        self._folded = folded
        self._record = means.beside.read()

    def create_and_update(self, plan: Plan, project: str) -> None:
        services = {change.name.removeprefix(_SERVICE): change for change in plan if change.name.startswith(_SERVICE)}
        by_reaction: dict[str, list[str]] = {}
        for name, change in services.items():
            by_reaction.setdefault(how(change), []).append(name)
        anew, started = by_reaction.get(RECREATE, []), by_reaction.get("start", [])
        self._bring_images([*anew, *started])
        for name in [*(name for name in anew if self._look.of(name)), *by_reaction.get(RESTART, [])]:
            self._before_stop(name)
        # Claimed before anything shows: what is under way is not mistaken for what another Compose has made.
        self._note(replace(self._record, project=project, services={**self._record.services, **self._claims([*anew, *started])}))
        self._publish(plan.without(Action.ADOPT))
        self._files.adopt(list(plan))
        for member in [member for name in started for member in self._look.of(name) if member.state == "paused"]:
            self._engine.unpause(member.id)  # Compose refuses to start one
        for names, forced in ((anew, True), (started, False)):
            if names:
                self._up(names, forced=forced)
        for name in by_reaction.get(RESTART, []):
            for member in self._look.of(name):
                self._engine.restart(member.id)
        for name in by_reaction.get("reload", []):
            self._inside.reload(services[name], self._look.of(name))
        made = [name for name, change in services.items() if change.after is not None]
        self._note(self._loaded(made, {name: services[name] for name in made}))

    def delete(self, plan: Plan) -> None:
        """Containers, then networks, then volumes, then files."""
        names = {kind: [change.name.partition(":")[2] for change in plan if change.name.startswith(f"{kind}:")] for kind in _KINDS}
        for name in names["service"]:
            self._before_stop(name)
            for member in self._look.of(name):
                self._engine.remove(member.id)
        for name in names["network"]:
            self._engine.remove_network(self._look.networks[name])
        for name in names["volume"]:
            self._engine.remove_volume(self._look.volumes[name])
        self._publish(plan)
        record = self._record
        self._note(
            replace(
                record,
                services=_without(record.services, names["service"]),
                networks=_without(record.networks, names["network"]),
                volumes=_without(record.volumes, names["volume"]),
            )
        )

    def _publish(self, plan: Plan) -> None:
        self._files.publish([*self._folded, *(change for change in plan if change.name.startswith(PREFIX))])

    def _bring_images(self, names: Sequence[str]) -> None:
        """Before anything is touched. What a service runs is what its reference means, until the repository names another: a tag
        that was moved meanwhile is moved back."""
        missing: dict[str, Service] = {}
        for name in names:
            reference = self._look.facts.services[name].image
            running = self._running_image(name, reference)
            known = self._engine.image(reference)
            if running and known != running and "@" not in reference and self._engine.image(running):
                self._engine.tag(running, reference)
            elif not known:
                missing[name] = self._look.facts.services[name]
        if missing:
            try:
                self._command.pull(missing)
            except CommandFailed as error:
                images = ", ".join(service.image for service in missing.values())
                raise ApplyFailed(f"{images}: {failed(error)}") from None

    def _running_image(self, name: str, reference: str) -> str:
        loaded = self._record.services.get(name)
        if loaded is not None and loaded.reference == reference and loaded.image:
            return loaded.image
        for member in self._look.of(name):
            if loaded is None and self._engine.life(member.id).reference == reference:
                return member.image
        return ""

    def _up(self, names: Sequence[str], *, forced: bool) -> None:
        try:
            self._command.up(names, anew=forced)
        except CommandFailed as error:
            raise failed(error) from None

    def _before_stop(self, name: str) -> None:
        loaded = self._record.services.get(name)
        if loaded is not None and loaded.before_stop is not None:
            self._inside.before_stop(behaviours.Command.model_validate(loaded.before_stop, strict=False), self._look.of(name))

    def _claims(self, names: Iterable[str]) -> Mapping[str, Loaded]:
        claims = {}
        for name in names:
            members = tuple(member.id for member in self._look.of(name))
            known = self._record.services.get(name, Loaded())
            claims[name] = replace(known, replaced=members, tried=self._look.facts.services[name].image)
        return claims

    def _loaded(self, names: Sequence[str], changes: Mapping[str, Change]) -> Record:
        members = self._engine.members()
        services = dict(self._record.services)
        for name in names:
            known = self._look.facts.services[name]
            after = changes[name].after
            behaviour = Behaviour.of(definition(after)) if after is not None else Behaviour()
            mine = [member for member in members if member.service == name]
            made = mine[0].config_hash if mine else ""
            # A container that stayed was made by whoever made it; noted as ours, its hash would be taken for a difference.
            tool = self._command.tool if made in ("", known.hash) else self._record.services.get(name, Loaded()).tool
            services[name] = Loaded(
                self._look.reads(name, self._look.wanted),
                known.volumes,
                known.image,
                mine[0].image if mine else "",
                made,
                tool,
                behaviour.hold,
                behaviours.plain(behaviour.before_stop),
            )
        facts = self._look.facts
        networks, volumes = {**self._record.networks, **facts.networks}, {**self._record.volumes, **facts.volumes}
        return replace(self._record, services=services, networks=networks, volumes=volumes)

    def _note(self, record: Record) -> None:
        if record != self._record:
            self._beside.write(record)
        self._record = record


def _without(named: Mapping[str, _T], names: Sequence[str]) -> Mapping[str, _T]:
    return {name: value for name, value in named.items() if name not in names}
