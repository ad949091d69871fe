"""One real (or, where CI cannot have it, honestly faked) system of every kind, each as the conformance suite knows it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.subject import Subject
from tests.fakes.concourse import PASSWORD, USER, FakeConcourse
from tests.fakes.gitea import FakeGitea
from tests.fakes.nomad import MANAGEMENT, FakeNomad
from tests.targets.certificates.test_conformance import InPlaceSubject as CertificatesSubject
from tests.targets.compose.engine import clear, make_images
from tests.targets.compose.test_conformance import ComposeSubject
from tests.targets.concourse.conftest import ROLES
from tests.targets.concourse.server import ConcourseServer
from tests.targets.concourse.subject import ConcourseSubject
from tests.targets.consul.server import ConsulServer
from tests.targets.consul.test_conformance import ConsulSubject
from tests.targets.gitea.server import SCOPES, GiteaServer
from tests.targets.gitea.subject import GiteaSubject
from tests.targets.grafana.test_grafana import GrafanaSubject
from tests.targets.nginx.subject import InPlaceSubject as NginxSubject
from tests.targets.nomad.server import NomadServer
from tests.targets.nomad.subject import NomadSubject
from tests.targets.postgres.conftest import PASSWORD as AGENTS_PASSWORD
from tests.targets.postgres.conftest import ROLE
from tests.targets.postgres.server import PostgresServer
from tests.targets.postgres.test_conformance import PostgresSubject
from tests.targets.prometheus.subject import InPlaceSubject as PrometheusSubject
from tests.targets.proxy import Proxy
from tests.targets.test_alloy import AlloySubject
from tests.targets.test_consul_template import ConsulTemplateSubject
from tests.targets.test_files import InPlaceSubject as FilesSubject
from tests.targets.test_promtail_and_loki import LokiSubject, PromtailSubject
from tests.targets.vault.server import VaultServer
from tests.targets.vault.test_conformance import VaultSubject

ENVIRONMENT = "conformance"
_POLICIES = Path(__file__).parents[2] / "docs/targets"


@dataclass(frozen=True)
class Place:
    """Where the system of one kind lives."""

    directory: Path
    binary: Callable[[str], str]
    free_port: Callable[[], int]

    def token(self, secret: str) -> Path:
        path = self.directory / "token"
        path.write_text(f"{secret}\n")
        return path


def _policy(kind: str) -> str:
    """What the docs ship for the agent's own token; nothing more is given to it here."""
    return (_POLICIES / f"{kind}-policy.hcl").read_text().replace("mini-cloud", ENVIRONMENT)


@contextmanager
def _files(place: Place) -> Iterator[Subject]:
    yield FilesSubject(place.directory)


@contextmanager
def _certificates(place: Place) -> Iterator[Subject]:
    yield CertificatesSubject(place.directory)


@contextmanager
def _nginx(place: Place) -> Iterator[Subject]:
    subject = NginxSubject(place.directory, place.binary("nginx"))
    with subject.server.supervised():
        yield subject


@contextmanager
def _prometheus(place: Place) -> Iterator[Subject]:
    subject = PrometheusSubject(place.directory, place.binary, place.free_port())
    with subject.server.running():
        yield subject


@contextmanager
def _consul_template(place: Place) -> Iterator[Subject]:
    subject = ConsulTemplateSubject(place.directory)
    with subject.server.running():
        yield subject


@contextmanager
def _monitored(kind: type[LokiSubject], place: Place) -> Iterator[Subject]:
    subject = kind(place.directory, place.free_port())
    try:
        yield subject
    finally:
        subject.program.stop()


@contextmanager
def _grafana(place: Place) -> Iterator[Subject]:
    subject = GrafanaSubject(place.directory, place.free_port())
    try:
        yield subject
    finally:
        subject.grafana.stop()


@contextmanager
def _alloy(place: Place) -> Iterator[Subject]:
    subject = AlloySubject(place.directory, place.free_port())
    try:
        yield subject
    finally:
        subject.program.stop()


@contextmanager
def _postgres(place: Place) -> Iterator[Subject]:
    server = PostgresServer(place.binary("initdb"), place.free_port)
    try:
        server.do(ROLE.read_text(), f"ALTER ROLE gitops_agent PASSWORD '{AGENTS_PASSWORD}'")
        yield PostgresSubject(place.directory, server, place.token(AGENTS_PASSWORD))
    finally:
        server.stop()


@contextmanager
def _consul(place: Place) -> Iterator[Subject]:
    server = ConsulServer(place.binary("consul"), place.directory, place.free_port)
    try:
        token = place.token(server.token(_policy("consul")))
        with Proxy(server.url).running() as proxy:
            yield ConsulSubject(place.directory, server, proxy, token)
    finally:
        server.stop()


@contextmanager
def _vault(place: Place) -> Iterator[Subject]:
    server = VaultServer(place.binary("bao"), place.directory, place.free_port)
    try:
        token = place.token(server.token(_policy("vault")))
        with Proxy(server.url).running() as proxy:
            yield VaultSubject(place.directory, server, proxy, token)
    finally:
        server.stop()


@contextmanager
def _nomad(place: Place) -> Iterator[Subject]:
    with FakeNomad() as fake:
        server = NomadServer(fake.url, MANAGEMENT)
        token = place.token(server.token(_policy("nomad")))
        with Proxy(server.url).running() as proxy:
            yield NomadSubject(place.directory, server, proxy, token)


@contextmanager
def _gitea(place: Place) -> Iterator[Subject]:
    with FakeGitea() as fake:
        fake.add_user("admin", "admins-password", admin=True)
        server = GiteaServer(fake.url, ("admin", "admins-password"))
        token = place.token(server.token(*SCOPES))
        with Proxy(server.url).running() as proxy:
            yield GiteaSubject(place.directory, server, proxy, token)


@contextmanager
def _concourse(place: Place) -> Iterator[Subject]:
    with FakeConcourse() as fake:
        server = ConcourseServer(fake.url, USER, PASSWORD)
        roles = ROLES.read_text().replace("local:admin", f"local:{USER}").replace("local:gitops-agent", "client:fly")
        server.set_team(json.loads(roles))
        with Proxy(server.url).running() as proxy:
            yield ConcourseSubject(place.directory, server, proxy)
        server.close()


@contextmanager
def _compose(place: Place) -> Iterator[Subject]:
    make_images()
    project = f"gitops-agent-test-{uuid.uuid4().hex[:8]}"
    neighbour = f"gitops-agent-neighbour-{uuid.uuid4().hex[:8]}"
    try:
        with closing(ComposeSubject(place.directory, project, neighbour)) as subject:
            yield subject
    finally:
        clear(project)
        clear(neighbour)


_KINDS: Mapping[str, Callable[[Place], AbstractContextManager[Subject]]] = {
    "files": _files,
    "certificates": _certificates,
    "compose": _compose,
    "postgres": _postgres,
    "vault": _vault,
    "consul": _consul,
    "nomad": _nomad,
    "gitea": _gitea,
    "concourse": _concourse,
    "consul-template": _consul_template,
    "nginx": _nginx,
    "prometheus": _prometheus,
    "loki": lambda place: _monitored(LokiSubject, place),
    "promtail": lambda place: _monitored(PromtailSubject, place),
    "alloy": _alloy,
    "grafana": _grafana,
}
"""In the order of agent.toml."""


@contextmanager
def every_system(base: Path, binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[dict[str, Subject]]:
    """A subject of every kind by the kind's name, each on a system of its own."""
    with ExitStack() as stack:
        subjects = {}
        for kind, system in _KINDS.items():
            place = Place(base / kind, binary, free_port)
            place.directory.mkdir(parents=True)
            place.directory.chmod(0o755)
            subjects[kind] = stack.enter_context(system(place))
        yield subjects
