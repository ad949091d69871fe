"""Which looks an environment needs: one for each target of a kind that has something to tell, and those across systems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from gitops_agent.doctor import (
    clocks,
    concourse,
    consul,
    containers,
    databases,
    disk,
    gitea,
    grafana,
    hostnames,
    logs,
    nomad,
    prometheus,
    upstreams,
    vault,
    workers,
)
from gitops_agent.doctor.finding import Finding
from gitops_agent.doctor.stack import Stack
from gitops_agent.errors import AgentError
from gitops_agent.settings import AgentSettings
from gitops_agent.system_target import ApiSettings
from gitops_agent.targets.compose.settings import ComposeSettings
from gitops_agent.targets.consul.settings import ConsulSettings
from gitops_agent.targets.gitea.settings import GiteaSettings
from gitops_agent.targets.nomad.settings import NomadSettings
from gitops_agent.targets.postgres.settings import PostgresSettings
from gitops_agent.targets.vault.settings import VaultSettings

Look: TypeAlias = Callable[[], Iterable[Finding]]
Found = TypeVar("Found")
_KINDS: Mapping[str, Callable[[Any, Stack], Iterable[Finding]]] = {
    "concourse": concourse.look,
    "consul": consul.look,
    "grafana": grafana.look,
    "loki": logs.loki,
    "nomad": nomad.look,
    "promtail": logs.promtail,
}
_TOKENS: Mapping[str, Callable[[Any, Path], Iterable[Finding]]] = {
    "consul": consul.tokens,
    "nomad": nomad.tokens,
    "vault": vault.tokens,
}
_SCRAPED = ("consul", "nomad", "vault", "gitea", "concourse")
"""Kinds whose systems have metrics that somebody should keep."""
_CLOCKS = {"consul": "/v1/status/leader", "vault": "/v1/sys/health", "nomad": "/v1/status/leader", "gitea": "/api/v1/version"}


def looks(settings: AgentSettings, environment: str, values: Mapping[str, Any]) -> tuple[Stack, dict[str, Look]]:
    """By what they are about, in the order of targets; and the containers that remedies name."""
    targets = settings.environments[environment].targets
    compose = _first(targets, ComposeSettings)
    stack = _stack(compose, str(values.get("project", "")))
    store = settings.secrets.directory or settings.state / "secrets"
    found: dict[str, Look] = {}
    for target in targets:
        if (look := _of(target, settings, stack, store, values)) is not None:
            found[target.name] = look
        if target.kind in _TOKENS:
            found[f"{target.name} tokens"] = partial(_TOKENS[target.kind], target, store)
    found |= dict(_across(settings, environment, stack, values))
    return stack, found


def _of(target: Any, settings: AgentSettings, stack: Stack, store: Path, values: Mapping[str, Any]) -> Look | None:
    kinds = {each.kind for environment in settings.environments.values() for each in environment.targets}
    if isinstance(target, VaultSettings):
        bao = bool((values.get("features") or {}).get("openbao", True))
        engines: dict[str, bool] = {kind: not bao for kind in ("consul", "nomad") if kind in kinds}
        return partial(vault.look, target, stack, engines)
    if isinstance(target, GiteaSettings):
        return partial(gitea.look, target, settings, stack)
    if isinstance(target, ComposeSettings):
        return partial(containers.look, _engine(target), target.name)
    if isinstance(target, PostgresSettings):
        return partial(databases.look, target, stack, store)
    if target.kind == "prometheus":
        return partial(prometheus.look, target, stack, [kind for kind in _SCRAPED if kind in kinds])
    return partial(_KINDS[target.kind], target, stack) if target.kind in _KINDS else None


def _across(settings: AgentSettings, environment: str, stack: Stack, values: Mapping[str, Any]) -> Iterator[tuple[str, Look]]:
    targets = settings.environments[environment].targets
    registry, cluster = _first(targets, ConsulSettings), _first(targets, NomadSettings)
    if cluster is not None:
        network, secrets = str((values.get("workers") or {}).get("network", "")), _first(targets, VaultSettings) is not None
        yield "workers", partial(workers.look, cluster, registry, network=network, vault=secrets)
    if values.get("hostnames"):
        yield "hostnames", partial(hostnames.look, values, stack)
        yield "upstreams", partial(upstreams.look, values, registry, stack)
    served = [each for each in targets if isinstance(each, ApiSettings) and each.kind in _CLOCKS]
    places = {each.name: (each.address, _CLOCKS[each.kind], each.ca_file) for each in served}
    compose = _first(targets, ComposeSettings)
    yield "clocks", partial(clocks.look, places, _engine(compose).clock if compose else None)
    directories = [settings.state, *(each.directory for each in targets if hasattr(each, "directory"))]
    yield "disk", partial(disk.look, [*directories, Path("/var/lib/docker"), Path("/")])


def _first(targets: Iterable[Any], kind: type[Found]) -> Found | None:
    return next((target for target in targets if isinstance(target, kind)), None)


def _engine(compose: ComposeSettings) -> Any:
    from gitops_agent.container.project import ProjectEngine

    return ProjectEngine(compose.docker, compose.project, 5)


def _stack(compose: ComposeSettings | None, project: str) -> Stack:
    if compose is None:
        return Stack(project)
    engine = _engine(compose)
    try:
        return Stack(compose.project, {member.service: member.name for member in engine.members()})
    except AgentError:  # said of its containers
        return Stack(compose.project)
    finally:
        engine.close()
