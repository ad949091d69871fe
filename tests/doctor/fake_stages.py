"""Stages with stateful fakes of what CI cannot have: Gitea, Nomad, Concourse, Loki, Promtail. test_recorded.py holds them to the
real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gitops_agent.doctor import concourse, gitea, logs, nomad
from gitops_agent.settings import AgentSettings, load
from gitops_agent.targets.concourse.settings import ConcourseSettings
from gitops_agent.targets.gitea.settings import GiteaSettings
from gitops_agent.targets.loki import TARGET as LOKI
from gitops_agent.targets.nomad.settings import NomadSettings
from gitops_agent.targets.promtail import TARGET as PROMTAIL
from tests.cli.world import World
from tests.doctor.stage import STACK, Ground, Stage
from tests.fakes.concourse import PASSWORD, USER, FakeConcourse
from tests.fakes.gitea import FakeGitea
from tests.fakes.logs import FakeLoki, FakePromtail
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.fakes.nomad_nodes import Node

TOKEN = "a-token-of-the-bot"
_REPOSITORY = "ops/config"


def loki_settings(url: str) -> LOKI.Settings:
    return LOKI.Settings.model_validate({"kind": "loki", "name": "loki", "directory": "/x", "address": url})


def promtail_settings(url: str) -> PROMTAIL.Settings:
    return PROMTAIL.Settings.model_validate({"kind": "promtail", "name": "promtail", "directory": "/x", "address": url})


@contextmanager
def nomad_worker_gone(ground: Ground) -> Iterator[Stage]:
    (ground.path / "token").write_text(MANAGEMENT)
    with FakeNomad() as fake:
        worker = Node("worker1", "192.168.64.15", "192.168.64.15:4646")
        fake.nodes.joined.append(worker)
        settings = NomadSettings(kind="nomad", name="nomad", address=fake.url, token_file=ground.path / "token")

        def beats(well: bool) -> None:
            worker.beats = well

        yield Stage(lambda: nomad.look(settings, STACK), lambda: beats(False), lambda: beats(True), fake.url, MANAGEMENT)


@contextmanager
def concourse_worker_stalled(ground: Ground) -> Iterator[Stage]:
    (ground.path / "password").write_text(PASSWORD)
    with FakeConcourse() as fake:
        table = {"kind": "concourse", "name": "concourse", "username": USER, "password_file": ground.path / "password"}
        settings = ConcourseSettings.model_validate({**table, "address": fake.url})

        def stalls(now: bool) -> None:
            fake.stalled = now

        yield Stage(
            lambda: concourse.look(settings, STACK), lambda: stalls(True), lambda: stalls(False), fake.url, f"{USER}:{PASSWORD}"
        )


@contextmanager
def _gitea(ground: Ground) -> Iterator[tuple[FakeGitea, GiteaSettings]]:
    with FakeGitea() as fake:
        fake.add_repository(_REPOSITORY)
        fake.add_user("ops", TOKEN)
        (ground.path / "bot-token").write_text(TOKEN)
        table = {"kind": "gitea", "name": "gitea", "address": fake.url, "token_file": ground.path / "bot-token"}
        yield fake, GiteaSettings.model_validate(table)


@contextmanager
def bot_token_revoked(ground: Ground) -> Iterator[Stage]:
    with _gitea(ground) as (fake, settings):
        yield Stage(
            lambda: gitea.look(settings, AgentSettings(), STACK),
            lambda: fake.tokens.pop(TOKEN),
            lambda: fake.add_token(TOKEN, "all"),
            fake.url,
            TOKEN,
        )


@contextmanager
def webhook_blocked(ground: Ground) -> Iterator[Stage]:
    """A real agent that Gitea delivers to, or does not: it is started anew, since it counts what came since its start."""
    world = World(ground.path, ground.free_port())
    world.push({"pages/index.html": "one\n"})
    (ground.path / "webhook-secret").write_text("what-gitea-signs-with")
    world.configure(webhook_secret_file=f'"{ground.path}/webhook-secret"', report='"none"', poll="1")
    with _gitea(ground) as (fake, settings):
        config = {"url": f"{world.url}/webhook/gitea", "content_type": "json", "secret": "what-gitea-signs-with"}
        fake.repositories[_REPOSITORY].hooks.append({"id": 1, "active": True, "config": config, "events": ["push"]})
        agent = load(world.toml)

        def allow(hosts: str) -> None:
            world.stop()
            fake.allowed_hosts = hosts
            world.serve()

        allow("loopback")
        try:
            with_source = settings.model_copy(update={"source": _REPOSITORY})
            yield Stage(lambda: gitea.look(with_source, agent, STACK), lambda: allow("external"), lambda: allow("private,loopback"))
        finally:
            world.stop()


@contextmanager
def loki_not_ready(ground: Ground) -> Iterator[Stage]:
    loki = FakeLoki()
    FakePromtail(loki.url).read("a line")
    settings = loki_settings(loki.url)

    def ready(now: bool) -> None:
        loki.ready = now

    try:
        yield Stage(lambda: logs.loki(settings, STACK), lambda: ready(False), lambda: ready(True), loki.url)
    finally:
        loki.stop()


@contextmanager
def promtail_not_shipping(ground: Ground) -> Iterator[Stage]:
    """Its `clients` lead to nobody, from its last start on."""
    loki = FakeLoki()
    promtail = FakePromtail(loki.url)
    promtail.read("a line")
    settings = promtail_settings(promtail.url)

    def leads(where: str) -> None:
        promtail.loki = where
        promtail.restart()
        promtail.read("another line")

    nobody = f"http://127.0.0.1:{ground.free_port()}"
    try:
        yield Stage(lambda: logs.promtail(settings, STACK), lambda: leads(nobody), lambda: leads(loki.url), promtail.url)
    finally:
        promtail.stop()
        loki.stop()
