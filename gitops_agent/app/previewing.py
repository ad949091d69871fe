"""The previews of pull requests of each environment that has any, from its settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_agent.app.gating import image, lending
from gitops_agent.app.parts import private_file, remote
from gitops_agent.errors import ConfigError
from gitops_agent.gitea import Gitea
from gitops_agent.journal import JournalLost
from gitops_agent.report import GiteaStatuses
from gitops_agent.settings import AgentSettings, EnvironmentSettings, PreviewSettings

if TYPE_CHECKING:
    from gitops_agent.journal import Journal
    from gitops_agent.model import CommitStatus
    from gitops_agent.preview import Previews, Validations
    from gitops_agent.report import Destination, Outbox
    from gitops_agent.worker import EnvironmentStatus


def preview_destinations(settings: AgentSettings) -> dict[str, Destination]:
    """Statuses of pull requests have a queue of their own: however many there are, those of the branch do not wait. Raises
    ConfigError where two environments would say the same of one commit."""
    said: dict[tuple[str, str, str], str] = {}
    for name, previews in _previewing(settings):
        environment = settings.environments[name]
        validation = previews.validation
        for context, setting in (previews.status, "status"), (validation.status if validation else "", "validation.status"):
            key = (environment.source, environment.branch, context)
            if context and key in said:
                raise ConfigError(f"environments {said[key]} and {name} both say {context}: give one another previews.{setting}")
            said[key] = name
        for other in settings.environments:
            if previews.status == f"gitops/{other}" or previews.status.startswith(f"gitops/{other}/"):
                raise ConfigError(f"environments.{name}.previews.status: {previews.status} is what runs of {other} say")
    return {_queue(name): GiteaStatuses(_gitea(settings, name)) for name, _ in _previewing(settings)}


def previews(
    settings: AgentSettings, name: str, journal: Journal, outbox: Outbox, status: Callable[[], EnvironmentStatus]
) -> Previews | None:
    """None where the environment has none."""
    environment = settings.environments[name]
    chosen = environment.previews
    if chosen is None:
        return None
    from gitops_agent.preview import Bounds, Desk, Previews, Queue, Request, Sandbox
    from gitops_agent.source import Merges

    def say(status: CommitStatus) -> None:
        with suppress(JournalLost):
            if journal.queue(_queue(name), status, outcome=True):
                outbox.ring()

    def last(sha: str, context: str) -> CommitStatus | None:
        with suppress(JournalLost):
            return journal.last(sha, context)
        return None

    gitea = _gitea(settings, name)
    state = (settings.state / name).absolute()
    bounds = Bounds(chosen.timeout, chosen.memory, chosen.max_fetch_bytes, environment.render_timeout, environment.render_memory)
    where = remote(environment)
    key = private_file(settings.state / "key", b"")
    task = environment.validation.task if environment.validation is not None and chosen.validation is not None else ""
    request = Request.of(name, where, state, key, environment.targets, bounds, task)
    return Previews(
        name,
        Desk(name, environment.branch, chosen.status, gitea.session, gitea.repository, say, last),
        Sandbox(request),
        Merges(where, request.directory),
        Queue(chosen.pause, chosen.refresh),
        status,
        poll=chosen.poll,
        most=chosen.most,
        slow=chosen.timeout / 4,
        validated=_validated(environment, request.directory, say),
    )


def _validated(
    environment: EnvironmentSettings, directory: Path, say: Callable[[CommitStatus], None]
) -> Callable[[Callable[[], None]], Validations] | None:
    """What makes the validations of merges, given what wakes their thread; None where there are none."""
    of_commits, of_merges = environment.validation, environment.previews.validation if environment.previews is not None else None
    if of_commits is None or of_merges is None:
        return None
    from gitops_agent.gate import BegunBuilds
    from gitops_agent.preview import Conditions, Validations

    conditions = Conditions(of_commits.task, image(of_commits), of_merges.status, of_merges.deadline, of_merges.most)
    builds = lending(of_commits, of_merges.team, of_merges.pipeline)
    return lambda ring: Validations(conditions, builds, BegunBuilds(directory / "builds.json"), say, ring)


def _previewing(settings: AgentSettings) -> list[tuple[str, PreviewSettings]]:
    return [(name, each.previews) for name, each in settings.environments.items() if each.previews is not None]


def _queue(name: str) -> str:
    """What the journal calls it; no environment has a slash in its name."""
    return f"{name}/previews"


def _gitea(settings: AgentSettings, name: str) -> Gitea:
    environment = settings.environments[name]
    return Gitea.of(environment.source, environment.gitea, environment.token_file, environment.ca_file)
