"""What runs of one environment have to pass, from its settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitops_agent.concourse import Builds, Client, Session, User
from gitops_agent.errors import ConfigError
from gitops_agent.gate import Approvals, BegunBuilds, Gate, Lending, Requires, Terms, Validation
from gitops_agent.gitea import Gitea
from gitops_agent.secret import remember
from gitops_agent.settings import AgentSettings, Approve, EnvironmentSettings, Policy, ValidationSettings
from gitops_agent.source import Source


def gate(settings: AgentSettings, name: str, source: Source) -> Gate:
    """Raises ConfigError where statuses are required and there is no Gitea to ask."""
    environment = settings.environments[name]
    return Gate(
        Approvals(name, settings.state / name, manual=environment.approve is Approve.MANUAL),
        _requires(environment),
        _validation(settings, name, source),
    )


def _requires(environment: EnvironmentSettings) -> Requires | None:
    if not environment.requires:
        return None
    # Not the one that reports: each is used by one thread.
    gitea = Gitea.of(environment.source, environment.gitea, environment.token_file, environment.ca_file)
    return Requires(environment.requires, gitea.states, deadline=environment.requires_deadline, poll=environment.requires_poll)


def _validation(settings: AgentSettings, name: str, source: Source) -> Validation | None:
    environment = settings.environments[name]
    chosen = environment.validation
    if chosen is None:
        return None
    required = chosen.policy is Policy.REQUIRED
    pipeline = f"gitops-validate-{name}"
    terms = Terms(chosen.task, image(chosen), _git(environment, chosen), chosen.deadline, required, pipeline)
    begun = BegunBuilds(settings.state / name / "builds.json")
    return Validation(source, lending(chosen, chosen.team, chosen.pipeline), terms, begun)


def lending(settings: ValidationSettings, team: str, pipeline: str) -> Lending:
    """Sessions for builds of a team."""

    def connect() -> Builds:
        session = Session(settings.address, _identity(settings), ca_file=settings.ca_file, timeout=settings.timeout)
        return Builds(session, team, pipeline)

    return Lending(connect)


def image(settings: ValidationSettings) -> Mapping[str, Any]:
    """What a task runs in whose file does not say. Raises ConfigError where the password cannot be read."""
    if settings.image_password_file is None:
        return settings.image
    password = _password(settings.image_password_file, "image_password_file")
    return {**settings.image, "source": {**settings.image.get("source", {}), "password": password}}


def _git(environment: EnvironmentSettings, settings: ValidationSettings) -> dict[str, str | bool | int]:
    git = {"uri": environment.source, "branch": environment.branch, **settings.git}
    if settings.git_password_file is not None:
        git["password"] = _password(settings.git_password_file, "git_password_file")
    return git


def _password(file: Path, setting: str) -> str:
    try:
        password = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"validation.{setting}: {error}") from None
    remember(password)
    return password


def _identity(settings: ValidationSettings) -> User | Client:
    if settings.password_file is not None:
        return User(settings.username, settings.password_file)
    if settings.client_secret_file is not None:
        return Client(settings.client, settings.client_secret_file)
    raise ConfigError("validation: needs username and password_file, or client and client_secret_file")
