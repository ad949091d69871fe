"""What the agent and single runs are put together from, each made from settings."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitops_agent import secret, targets
from gitops_agent.errors import ConfigError
from gitops_agent.reconcile import Reconciler, outstanding
from gitops_agent.render import Renderer
from gitops_agent.settings import AgentSettings, EnvironmentSettings, Report, SignedCommits
from gitops_agent.source import Remote, Signers, Source
from gitops_agent.target import Site, Target

if TYPE_CHECKING:
    from gitops_agent.journal import Journal
    from gitops_agent.report import Destination, Heralds, Outbox
    from gitops_agent.worker.reporting import Reporter

_log = logging.getLogger(__name__)


def private_file(path: Path, make: bytes) -> bytes:
    """The content of a file of the agent's own, 0600, made with `make` when it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(make)
    return make


def resolver(settings: AgentSettings) -> secret.Resolver:
    """Serves the references of all environments."""
    directory = settings.secrets.directory or settings.state / "secrets"
    return secret.by_scheme({"file": secret.from_directory(str(directory))}, default=_vault(settings))


def _vault(settings: AgentSettings) -> secret.Resolver | None:
    if settings.secrets.vault is None:
        return None
    from gitops_agent.targets.vault.access import Access
    from gitops_agent.targets.vault.resolver import resolver as from_vault

    return from_vault(Access.of(settings.secrets.vault))


def reconciler(settings: AgentSettings, name: str, *, source: str = "") -> Reconciler:
    """What runs of one environment need. `source` takes another repository instead of the configured one (`apply --from PATH`)."""
    environment = _environment(settings, name)
    state = settings.state / name
    key = private_file(settings.state / "key", secrets.token_bytes(32))
    built = _targets(environment, name, state, key)
    refuse_overlaps({target.name: target for target in built})
    return Reconciler(
        name,
        source=Source(remote(environment, source), state, name, _signers(environment)),
        renderer=Renderer(environment.render_timeout, environment.render_memory),
        targets=built,
        lookup=resolver(settings),
        key=key,
        state=state,
        outstanding=partial(outstanding, environment=name, running=environment),
    )


def api_token(settings: AgentSettings) -> str:
    """The bearer token of the API; made at the first start."""
    path = settings.serve.token_file or settings.state / "token"
    token = private_file(path, secrets.token_urlsafe(32).encode()).decode().strip()
    secret.remember(token)
    return token


def metrics_token(settings: AgentSettings) -> str:
    """Raises ConfigError where the file cannot be read; empty where none is set."""
    path = settings.serve.metrics_token_file
    if path is None:
        return ""
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"serve.metrics_token_file: {path} cannot be read: {error}") from None


def url(settings: AgentSettings) -> str:
    return settings.serve.url or f"http://{settings.serve.listen}"


def refuse_overlaps(built: Mapping[str, Target]) -> None:
    """Raises ConfigError where two targets may own the same thing: they would undo each other's work for ever (failure mode 16)."""
    owned = [(claim, owner) for owner, target in built.items() for claim in target.scope()]
    for (claim, owner), (other_claim, other) in permutations(owned, 2):
        if owner != other and other_claim.startswith(claim) and not built[owner].leaves(other_claim):
            raise ConfigError(f"targets {owner} and {other} may both own {other_claim!r}; give each its own scope")


def destinations(settings: AgentSettings, reconcilers: Mapping[str, Reconciler]) -> dict[str, Destination]:
    """Where the statuses of each environment go."""
    from gitops_agent.gitea import Gitea
    from gitops_agent.report import GiteaStatuses, GitNotes

    destinations: dict[str, Destination] = {}
    for name, environment in settings.environments.items():
        report = _report(environment)
        if report is Report.GITEA:
            destinations[name] = GiteaStatuses(
                Gitea.of(environment.source, environment.gitea, environment.token_file, environment.ca_file)
            )
        elif report is Report.NOTES:
            destinations[name] = GitNotes(reconcilers[name].source)
    return destinations


def reporter(settings: AgentSettings, name: str, journal: Journal, outbox: Outbox) -> Reporter:
    """Says what becomes of the runs of one environment, as its `report` setting wants it."""
    from gitops_agent.worker.reporting import Reporter

    report = _report(settings.environments[name])
    return Reporter(name, journal, url(settings), outbox.ring, heralds(settings, name), statuses=report is not Report.NONE)


def heralds(settings: AgentSettings, name: str) -> Heralds:
    """Who is told of the environment without looking. Raises ConfigError where `notify_file` cannot be read."""
    from gitops_agent.report import Heralds

    file = settings.environments[name].notify_file
    try:
        lines = [line.strip() for line in file.read_text().splitlines()] if file is not None else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"environments.{name}.notify_file: {file} cannot be read: {error}") from None
    addresses = [line for line in lines if line and not line.startswith("#")]
    for address in addresses:
        secret.remember(address, f"an address in {file}")
    key = private_file(settings.state / "key", secrets.token_bytes(32))
    return Heralds(addresses, settings.state / name, key)


def _environment(settings: AgentSettings, name: str) -> EnvironmentSettings:
    try:
        return settings.environments[name]
    except KeyError:
        raise ConfigError(f"there is no environment {name!r}; there are {', '.join(settings.environments) or 'none'}") from None


def remote(environment: EnvironmentSettings, source: str = "") -> Remote:
    """How the repository is reached; `source` is another one than the configured."""
    local = bool(source)
    return Remote(
        url=source or environment.source,
        branch=environment.branch,
        username=environment.username,
        token_file=None if local else environment.token_file,
        ssh_key_file=environment.ssh_key_file,
        known_hosts_file=environment.known_hosts_file,
        ca_file=environment.ca_file,
        timeout=environment.git_timeout,
        max_file_bytes=environment.max_file_bytes,
        max_tree_bytes=environment.max_tree_bytes,
    )


def _signers(environment: EnvironmentSettings) -> Signers | None:
    if environment.allowed_signers is None and environment.signer_keys is None:
        return None
    every = environment.signed_commits is SignedCommits.EVERY
    return Signers(environment.allowed_signers, environment.signer_keys, every)


def _targets(environment: EnvironmentSettings, name: str, state: Path, key: bytes) -> list[Target]:
    built = []
    for settings in environment.targets:
        directory = state / "targets" / settings.name
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        built.append(targets.load(settings.kind)(settings, Site(name, directory, key)))
    return built


def _report(environment: EnvironmentSettings) -> Report:
    if environment.report is not None:
        return environment.report
    if environment.gitea or urlsplit(environment.source).scheme in ("http", "https"):
        return Report.GITEA
    return Report.NOTES
