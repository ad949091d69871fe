"""Everything that `gitops-agent serve` runs, and what SIGTERM does to it."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitops_agent import log, secret
from gitops_agent.app.gating import gate
from gitops_agent.app.parts import api_token, destinations, metrics_token, reconciler, refuse_overlaps, reporter, url
from gitops_agent.app.previewing import preview_destinations, previews
from gitops_agent.reconcile import Reconciler
from gitops_agent.settings import AgentSettings

if TYPE_CHECKING:
    from gitops_agent.journal import Journal
    from gitops_agent.preview import Previews
    from gitops_agent.report import Outbox
    from gitops_agent.worker import Environment

_log = logging.getLogger(__name__)


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
        refuse_overlaps({f"{name}/{target.name}": target for name, built in reconcilers.items() for target in built.targets})
        told = {**destinations(settings, reconcilers), **preview_destinations(settings)}
        self._told = told
        self.outbox: Outbox = Outbox(self.journal, told)
        self.environments: dict[str, Environment] = {
            name: _build(settings, built, self.journal, self.outbox) for name, built in reconcilers.items()
        }
        previewing = {
            name: previews(settings, name, self.journal, self.outbox, environment.status)
            for name, environment in self.environments.items()
        }
        self.previews: dict[str, Previews] = {name: each for name, each in previewing.items() if each is not None}

    def serve(self) -> None:
        """Runs until SIGTERM or SIGINT; then every run in hand ends between two changes."""
        from gitops_agent import web

        told_to_stop = _listen_for_signals()
        for_metrics = metrics_token(self.settings)
        pages = web.create(
            self.environments,
            self.journal,
            self.token,
            url(self.settings),
            self.not_ready,
            metrics_token=for_metrics,
            previews={name: each.ring for name, each in self.previews.items()},
        )
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
        from gitops_agent.report import recall

        for name, environment in self.environments.items():
            if name in self._told:
                recall(self.journal, name, self._told[name], environment.source.head())
        self.outbox.start()
        for environment in self.environments.values():
            environment.start()
        for each in self.previews.values():
            each.start()
        try:
            yield
        finally:
            for each in self.previews.values():
                each.close()
            for environment in self.environments.values():
                environment.close()
            self.outbox.close()
            self.journal.close()


def _listen_for_signals() -> int:
    """A descriptor with something to read once SIGTERM or SIGINT came.

    The interpreter itself writes to it, in whichever thread the kernel interrupts. A handler in Python would run only when the main
    thread runs Python again: never, where the signal came just before its `read` or met another thread.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reading


def run(settings: AgentSettings) -> None:
    """`gitops-agent serve`."""
    log.configure(secret.mask, level=settings.log_level, as_json=settings.log_format == "json")
    Agent(settings).serve()


def _build(settings: AgentSettings, built: Reconciler, journal: Journal, outbox: Outbox) -> Environment:
    from gitops_agent.worker import Environment

    name = built.environment
    reported = reporter(settings, name, journal, outbox)
    return Environment(
        name,
        settings.environments[name],
        reconciler=built,
        reporter=reported,
        gate=gate(settings, name, built.source),
        directory=settings.state / name,
        clean=reported.last_run_was_clean(built.source.applied()),
    )
