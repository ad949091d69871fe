"""Where a bootstrap works: the Docker host, the systems on it and how they are reached, the secrets, the environment's lock.

Addresses in agent.toml are names of containers. A process in a container of the same network knows them. One on a Linux host does
not, so a name that is not known is looked up in Docker, and the container's address taken: Linux routes to it. Neither works from a
Mac, where containers live in a VM: there bootstrap runs in the agent's own image (docs/how-to/bootstrap.md).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gitops_agent import process
from gitops_agent.api import Api
from gitops_agent.bootstrap.blueprint import Blueprint
from gitops_agent.container.engine import Engine
from gitops_agent.container.shapes import Container
from gitops_agent.errors import ApplyFailed, Refused, Unavailable
from gitops_agent.lock import FileLock
from gitops_agent.reconcile import Reconciler
from gitops_agent.secret.files import SecretFiles, read_secret
from gitops_agent.settings import AgentSettings

_TIMEOUT = 60.0
_COMPOSE = 600.0

MakeReconciler = Callable[[AgentSettings, str, str], Reconciler]
"""Takes settings, environment and the path of the repository."""


@dataclass(frozen=True)
class Credentials:
    """Of administrators, where they exist already or shall lie elsewhere than in the agent's secrets. `vault_keys` is the file with
    the keys that unseal Vault and its root token, as `vault operator init -format=json` prints it; `gitea_admin` one line with the
    login of an administrator, `NAME:PASSWORD`, to be used instead of Gitea's own command in its container."""

    consul_token: Path | None = None
    nomad_token: Path | None = None
    vault_keys: Path | None = None
    gitea_admin: Path | None = None


class Ground:
    """Use `close` at the end: it lets an agent have the environment."""

    def __init__(self, blueprint: Blueprint, make: MakeReconciler, credentials: Credentials) -> None:
        self.blueprint = blueprint
        self.credentials = credentials
        self.state = blueprint.settings.state
        self.secrets = SecretFiles(blueprint.settings.secrets.directory or self.state / "secrets")
        self.make = make
        self.engine = Engine(timeout=_TIMEOUT)
        self._lock = FileLock(self.state / blueprint.environment / "lock")

    def close(self) -> None:
        self._lock.release()
        self.engine.close()

    def container(self, service: str, project: str = "") -> Container:
        """Raises Unavailable where it does not run."""
        found = self.engine.find(f"{project or self.blueprint.facts.project}/{service}")
        if found is None or not found.running:
            raise Unavailable(f"the container of {service} does not run: its log says why")
        return found

    def reach(self, address: str, project: str = "") -> str:
        """The same address with a host that this process can connect to. Raises Unavailable where that cannot be told."""
        whole = address if "://" in address else f"//{address}"
        parts = urlsplit(whole)
        host = parts.hostname or ""
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            addresses = self.container(host, project).addresses
            if not addresses:
                why = "as one that starts again and again: its log says why"
                raise Unavailable(f"the container of {host} has no address, {why}") from None
            port = f":{parts.port}" if parts.port else ""
            return parts._replace(netloc=f"{addresses[0]}{port}").geturl().removeprefix("//")
        return address

    def api(self, system: str, headers: Mapping[str, str] | None = None) -> Api:
        """The API of a system that agent/bootstrap.yaml has an address of."""
        return Api(system, self.reach(self.blueprint.facts.addresses[system]), headers=headers, timeout=_TIMEOUT)

    def execute(self, service: str, command: Sequence[str], *, user: str = "") -> str:
        """What a command in a container printed. Raises ApplyFailed when it failed."""
        done = self.engine.execute(self.container(service), command, timeout=_TIMEOUT, user=user)
        if done.status:
            last = done.output.strip().splitlines()[-1:] or ["no output"]
            raise ApplyFailed(f"{command[0]} in {service} exited with {done.status}: {last[0]}")
        return done.output

    def administrator(self, named: Path | None, secret: str) -> tuple[Path, str]:
        """The file of an administrator's token, and the token: the one that was named, or ours. Empty where there is none."""
        path = named or self.secrets.path(secret)
        return path, read_secret(path) if named or path.exists() else ""

    def agent_runs(self) -> bool:
        """Whether somebody else has the environment; otherwise it is ours from now on."""
        return self.state.exists() and not self._lock.acquire()

    def agent_is_up(self) -> bool:
        found = self.engine.find(f"{self.blueprint.container}/gitops-agent")
        return found is not None and found.running

    def owner(self) -> str:
        """Who has the environment."""
        return self._lock.owner()

    def take(self) -> None:
        """Makes the environment ours: the agent's container is stopped, and started again by the last step."""
        if not self.agent_runs():
            return
        if self.engine.find(f"{self.blueprint.container}/gitops-agent") is not None:
            self.compose("stop")
        if self.agent_runs():
            raise Refused(f"{self._lock.owner()} runs {self.blueprint.environment}: stop it first")

    def give(self) -> None:
        """Lets an agent have the environment."""
        self._lock.release()

    @property
    def agent_directory(self) -> Path:
        return self.blueprint.facts.root / "agent"

    def compose(self, *arguments: str) -> None:
        """On the agent's own project."""
        file = self.agent_directory / "compose.yaml"
        process.run(["docker", "compose", "--file", file, *arguments], timeout=_COMPOSE, inherit=False)
