"""The steps in their order, and what each system's target is lent so that it can make what the agent itself will live on."""

from __future__ import annotations

from gitops_agent.bootstrap import consul, vault
from gitops_agent.bootstrap.agent import AgentStarted, FirstRun, status
from gitops_agent.bootstrap.applied import Applied, reached
from gitops_agent.bootstrap.config_repo import ConfigRepo
from gitops_agent.bootstrap.gitea import GiteaPeople
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.host import Host
from gitops_agent.bootstrap.made_secrets import MadeSecrets
from gitops_agent.bootstrap.nomad import NomadAcl
from gitops_agent.bootstrap.proposals_team import ProposalsTeam
from gitops_agent.bootstrap.step import Step
from gitops_agent.bootstrap.task_image import TaskImage
from gitops_agent.bootstrap.vault_access import VaultAccess
from gitops_agent.target import TargetSettings

_SYSTEMS = ("postgres", "consul", "vault", "nomad", "gitea", "concourse")
"""Kinds that change what is inside of a system; the others publish files, or start containers."""


def steps(ground: Ground, *, agent: bool = True) -> list[Step]:
    """Those that the mini-cloud has. Without `agent` the one that looks after it is not started here."""
    has = ground.blueprint.has
    found: list[Step] = [
        Host(ground),
        MadeSecrets(ground),
        Applied(ground, "files and containers", lambda one: _outside(ground, one), settle=False),
    ]
    if has("consul"):
        found += [consul.ConsulAcl(ground), Applied(ground, "consul", lambda one: _consul(ground, one))]
    if has("vault"):
        found.append(vault.VaultOpen(ground))
    if has("nomad-server"):
        found.append(NomadAcl(ground))
    if has("vault"):
        found += [Applied(ground, "vault", lambda one: _vault(ground, one)), VaultAccess(ground)]
    if has("gitea"):
        found.append(GiteaPeople(ground))
    found.append(ConfigRepo(ground))
    if has("gitea"):
        found.append(Applied(ground, "gitea", lambda one: _gitea(ground, one)))
    if has("gitea") and has("concourse-web"):
        found.append(TaskImage(ground))
    if (team := ground.blueprint.proposals_team) and has("concourse-web"):
        found.append(ProposalsTeam(ground, team))
    return [*found, *([AgentStarted(ground), FirstRun(lambda: status(ground))] if agent else [])]


def unsealing(ground: Ground) -> list[Step]:
    """What a start of the host leaves to be done, beside an agent that runs."""
    return [vault.VaultUnsealed(ground)]


def _outside(ground: Ground, settings: TargetSettings) -> TargetSettings | None:
    return None if settings.kind in _SYSTEMS else reached(ground, settings)


def _consul(ground: Ground, settings: TargetSettings) -> TargetSettings | None:
    return consul.as_administrator(ground, settings) if settings.kind == "consul" else None


def _vault(ground: Ground, settings: TargetSettings) -> TargetSettings | None:
    return vault.as_administrator(ground, settings) if settings.kind == "vault" else None


def _gitea(ground: Ground, settings: TargetSettings) -> TargetSettings | None:
    """What was made a moment ago, so that there is something to push to, becomes the agent's."""
    return reached(ground, settings).model_copy(update={"adopt": True}) if settings.kind == "gitea" else None
