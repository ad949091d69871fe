"""From what runs to a config repo that says so: look, sort, describe, take the secrets out."""

from __future__ import annotations

import re
import secrets as chance
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from gitops_agent import targets
from gitops_agent.adopt import areas, landscape, mounts, project, systems
from gitops_agent.adopt.file_tables import FileTables
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.project import Project
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.repository import Taken
from gitops_agent.adopt.secrets_found import SecretsFound
from gitops_agent.adopt.tables import Table
from gitops_agent.container.engine import Engine
from gitops_agent.container.inventory import Inventory
from gitops_agent.errors import AgentError, ApplyFailed, CommandFailed
from gitops_agent.model import Files, HealthStatus
from gitops_agent.target import Site

_TIMEOUT = 60.0
_A_MOMENT = 5.0
"""Seconds: a program that does not tell its version by then is not asked for anything."""
_NOT_THERE = (126, 127)


@dataclass(frozen=True)
class Wishes:
    """What the operator says beforehand. `addresses`, `credentials` (files) and `users` (names) by system; a credential by
    `system/service` too, where several run."""

    project: str = ""
    environment: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Path] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)


def take(wishes: Wishes) -> Taken:
    """Looks at everything; changes nothing and writes nothing. Raises ConfigError, Unavailable."""
    left = Left()
    with closing(Inventory(timeout=_TIMEOUT)) as inventory:
        scene = landscape.look(inventory.containers(), wishes.project)
    for name in scene.others:
        left.add(Why.CONTAINER, name)
    sorted_ = mounts.sort(scene, left)
    laid = areas.lay_out(scene, sorted_, left)
    whole = project.describe(scene, sorted_, laid, left)
    environment = wishes.environment or re.sub(r"[^a-z0-9-]", "-", scene.project)
    reaching = Reaching(wishes.addresses, left)
    with closing(Engine(timeout=_TIMEOUT)) as engine:
        described = FileTables(
            scene, sorted_, reaching, wishes.credentials, lambda name, tool: _has(engine, name, tool), _try, left
        )
        files = [described.of(area) for area in laid]
        containers = described.project(whole, laid)
    held = [*systems.describe(scene, reaching, wishes.credentials, wishes.users, environment, left)]
    # A role will have its new password when its programs are started with it.
    first = [one.table for one in held if one.table.kind == "postgres"]
    tables = [*files, *first, containers, *(one.table for one in held if one.table not in first)]
    contents = {**{area.name: area.files for area in laid}, "compose": whole.files, **{one.table.name: one.files() for one in held}}
    found = SecretsFound(left)
    for one in held:
        found.learn_values(one.table.name, (secret for entry in one.entries for secret in entry.secrets))
    _learn(found, scene, whole, contents)
    parsed = {one.table.name: one.parsed() for one in held}
    folders = {name: _without_secrets(name, files, whole, parsed.get(name, frozenset()), found) for name, files in contents.items()}
    _tell_of_services(whole, scene, left)
    return Taken(environment, scene.project, scene.directory, tuple(tables), folders, found.values(), left)


def _learn(found: SecretsFound, scene: Landscape, whole: Project, contents: Mapping[str, Files]) -> None:
    """Names of variables first: they say best what a secret is for."""
    for service in scene.services:
        pairs = (entry.partition("=") for entry in service.found.container.environment)
        found.learn_environment(service.name, {name: value for name, _, value in pairs})
    for name, files in contents.items():
        for path, content in files.items():
            try:
                text = content.decode()
            except UnicodeDecodeError:
                continue
            found.learn(_place(name, path), text, whole=_is_whole(name, path, whole))


def _without_secrets(name: str, files: Files, whole: Project, parsed: Collection[str], found: SecretsFound) -> dict[str, bytes]:
    written = (
        found.written(_place(name, path), content, whole=_is_whole(name, path, whole), parsed=path in parsed)
        for path, content in files.items()
    )
    return {path.removeprefix(_place(name, "")): content for path, content in filter(None, written)}


def _place(name: str, path: str) -> str:
    return f"{name}/{path}"


def _is_whole(name: str, path: str, whole: Project) -> bool:
    return name == "compose" and path in whole.secret


def _tell_of_services(whole: Project, scene: Landscape, left: Left) -> None:
    running = {service.name: service for service in scene.services}
    for name, said in whole.declared.items():
        if name not in running and not said.get("profiles"):
            left.add(Why.ATTENTION, f"service {name}", "is declared and has no container: the first run would make one")
    for name, service in running.items():
        if name not in whole.declared:
            left.add(Why.ATTENTION, f"container {service.container}", f"is of a service {name} that no Compose file declares")


def _has(engine: Engine, name: str, tool: str) -> bool:
    """Whether a running container has a program: it is asked for its version, in that container."""
    container = engine.find(name)
    if container is None or not container.running:
        return False
    try:
        return engine.execute(container, [tool, "--version"], timeout=_A_MOMENT).status not in _NOT_THERE
    except (ApplyFailed, CommandFailed):
        return False


def _try(table: Table, files: Files) -> str:
    """What a target of that table has against the files, or is not well with."""
    with TemporaryDirectory(prefix="gitops-agent-") as temporary:
        kind = targets.load(table.kind)
        settings = kind.Settings.model_validate(table.values())
        with closing(kind(settings, Site("adopt", Path(temporary), chance.token_bytes(32)))) as target:
            try:
                target.parse(files)
                health = target.health()
            except AgentError as error:
                return str(error)
            return "" if health.status is HealthStatus.HEALTHY else health.reason
