"""What the systems hold that have an API: read with the credentials that were given, and described as their targets' folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gitops_agent.adopt.described import Described, settled
from gitops_agent.adopt.landscape import Landscape
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.reaching import Reaching
from gitops_agent.adopt.systems import concourse, consul, gitea, grafana, nomad, postgres, vault
from gitops_agent.adopt.systems.source import Source
from gitops_agent.errors import AgentError

_UNKNOWN = ("pgadmin",)
_PASSWORDS = {
    "concourse": "its user's password: --concourse-password FILE",
    "grafana": "an administrator's password: --grafana-password FILE",
}


class _Found(NamedTuple):
    """A system as people call it. `wanted` is what it should be given where it refuses; empty where it was given that."""

    said: str
    describe: Callable[[], Iterator[Described]]
    wanted: str


def describe(
    scene: Landscape, reaching: Reaching, credentials: Mapping[str, Path], users: Mapping[str, str], environment: str, left: Left
) -> Iterator[Described]:
    """In the order in which runs apply them. What cannot be read is told, and left."""
    for found in (*_databases(scene, reaching, credentials, users, left), *_apis(scene, reaching, credentials, users, left)):
        try:
            for described in found.describe():
                if (kept := settled(described, environment, left)) is not None:
                    yield kept
        except AgentError as error:
            left.add(Why.ATTENTION, found.said, f"{error}{f'; give it {found.wanted}' if found.wanted else ''}")
    for service in scene.services:
        if service.program is not None and service.program.name in _UNKNOWN:
            left.add(Why.SYSTEM, service.name, "what it holds is not looked at: declare it by hand, bit by bit")


def _databases(
    scene: Landscape, reaching: Reaching, credentials: Mapping[str, Path], users: Mapping[str, str], left: Left
) -> Iterator[_Found]:
    """Every PostgreSQL there is. A password may be one service's own."""
    name = ""
    for service, address in reaching.systems(scene, "postgres"):
        if not address:
            left.add(Why.ATTENTION, service, "nothing answers at its port: its roles and databases are not taken")
            continue
        name = f"postgres-{service.replace('_', '-')}" if name else "postgres"
        password = credentials.get(f"postgres/{service}", credentials.get("postgres"))
        user = users.get("postgres") or scene.said("postgres", "POSTGRES_USER", service) or "postgres"
        connection = postgres.connection(address, user, password)
        said = f"postgres at {connection['host']}:{connection['port']}"
        wanted = "" if password else f"the password of {user}: --postgres-password FILE"
        yield _Found(said, partial(postgres.describe, name, connection, left), wanted)


def _apis(
    scene: Landscape, reaching: Reaching, credentials: Mapping[str, Path], users: Mapping[str, str], left: Left
) -> Iterator[_Found]:
    known: Mapping[str, tuple[Callable[[Source], Iterator[Described]], str]] = {
        "consul": (consul.describe, ""),
        "vault": (vault.describe, ""),
        "nomad": (nomad.describe, ""),
        "gitea": (gitea.describe, ""),
        "concourse": (concourse.describe, scene.said("concourse", "CONCOURSE_MAIN_TEAM_LOCAL_USER").partition(",")[0]),
        "grafana": (partial(grafana.describe, scene=scene), scene.said("grafana", "GF_SECURITY_ADMIN_USER") or "admin"),
    }
    for name, (how, user) in known.items():
        address, credential = reaching.system(scene, name), credentials.get(name)
        if address:
            read = partial(_read, how, name, address, credential, users.get(name) or user, left)
            wanted = _PASSWORDS.get(name, f"a token: --{name}-token FILE")
            yield _Found(f"{name} at {address}", read, "" if credential else wanted)


def _read(
    how: Callable[[Source], Iterator[Described]], name: str, address: str, credential: Path | None, user: str, left: Left
) -> Iterator[Described]:
    with Source(name, address, credential, left, user) as source:
        yield from how(source)
