"""The composition root: from settings to environments, outbox and web server, and what SIGTERM does to them."""

from __future__ import annotations

import logging
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitops_agent import log, secret, targets
from gitops_agent.errors import ConfigError
from gitops_agent.reconcile import Reconciler
from gitops_agent.render import Renderer
from gitops_agent.settings import AgentSettings, EnvironmentSettings, Report
from gitops_agent.source import Remote, Source
from gitops_agent.target import Site, Target

if TYPE_CHECKING:
    from gitops_agent.journal import Journal
    from gitops_agent.report import Destination, Outbox
    from gitops_agent.worker import Environment
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
    return Reconciler(
        name,
        source=Source(_remote(environment, source), state, name),
        renderer=Renderer(environment.render_timeout, environment.render_memory),
        targets=_targets(environment, name, state, key),
        lookup=resolver(settings),
        key=key,
        state=state,
    )


def api_token(settings: AgentSettings) -> str:
    """The bearer token of the API; made at the first start."""
    path = settings.serve.token_file or settings.state / "token"
    token = private_file(path, secrets.token_urlsafe(32).encode()).decode().strip()
    secret.remember(token)
    return token


def url(settings: AgentSettings) -> str:
    return settings.serve.url or f"http://{settings.serve.listen}"


def refuse_overlaps(claims: dict[str, frozenset[str]]) -> None:
    """Raises ConfigError where two targets may own the same thing: they would undo each other's work for ever (failure mode 16)."""
    owned = [(claim, owner) for owner, scope in claims.items() for claim in scope]
    for (claim, owner), (other_claim, other) in permutations(owned, 2):
        if owner != other and other_claim.startswith(claim):
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
    return Reporter(name, journal, url(settings), outbox.ring, statuses=report is not Report.NONE)


class Agent:
    """Everything `gitops-agent serve` runs."""

    def __init__(self, settings: AgentSettings) -> None:
        from gitops_agent.journal import Journal
        from gitops_agent.report import Outbox

        settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.settings = settings
        self.token = api_token(settings)
        self.journal: Journal = Journal(settings.state / "journal.sqlite3", keep_runs=settings.keep_runs)
        reconcilers = {name: reconciler(settings, name) for name in settings.environments}
        refuse_overlaps(
            {f"{name}/{target.name}": target.scope() for name, built in reconcilers.items() for target in built.targets}
        )
        self.outbox: Outbox = Outbox(self.journal, destinations(settings, reconcilers))
        self.environments: dict[str, Environment] = {
            name: _build(settings, built, self.journal, self.outbox) for name, built in reconcilers.items()
        }

    def serve(self) -> None:
        """Runs until SIGTERM or SIGINT; then every run in hand ends between two changes."""
        from gitops_agent import web

        told_to_stop = _listen_for_signals()
        pages = web.create(self.environments, self.journal, self.token, url(self.settings), self.not_ready)
        server = web.serve(pages, self.settings.serve.listen)  # a port that is taken is said before anything is touched
        with self.running():
            server.start()
            _log.info("serving", extra={"url": url(self.settings), "environments": ", ".join(self.environments)})
            os.read(told_to_stop, 1)
            _log.info("stopping")
            server.close()

    def not_ready(self) -> dict[str, str]:
        """What is not as it should be for serving, with the reason: for `/readyz`."""
        reasons = {
            name: status.waiting or "has not looked at its branch yet"
            for name, environment in self.environments.items()
            if not (status := environment.status()).ready and not status.suspended
        }
        return {**reasons, **({"journal": self.journal.lost} if self.journal.lost else {})}

    @contextmanager
    def running(self) -> Iterator[None]:
        """The environments and the outbox, without the web server."""
        self.outbox.start()
        for environment in self.environments.values():
            environment.start()
        try:
            yield
        finally:
            for environment in self.environments.values():
                environment.close()
            self.outbox.close()
            self.journal.close()


def _listen_for_signals() -> int:
    """A descriptor with something to read once SIGTERM or SIGINT came. No Event: a handler that sets one may interrupt the very
    thread that holds its lock, and wait for itself."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(writing, b"."))
    return reading


def run(settings: AgentSettings) -> None:
    """`gitops-agent serve`."""
    log.configure(secret.mask, level=settings.log_level, as_json=settings.log_format == "json")
    Agent(settings).serve()


def _environment(settings: AgentSettings, name: str) -> EnvironmentSettings:
    try:
        return settings.environments[name]
    except KeyError:
        raise ConfigError(f"there is no environment {name!r}; there are {', '.join(settings.environments) or 'none'}") from None


def _remote(environment: EnvironmentSettings, source: str) -> Remote:
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


def _build(settings: AgentSettings, built: Reconciler, journal: Journal, outbox: Outbox) -> Environment:
    from gitops_agent.worker import Environment

    name = built.environment
    reported = reporter(settings, name, journal, outbox)
    return Environment(
        name,
        settings.environments[name],
        reconciler=built,
        reporter=reported,
        directory=settings.state / name,
        clean=reported.last_run_was_clean(built.source.applied()),
    )
