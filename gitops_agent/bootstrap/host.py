"""Can this host carry it at all? Asked first, because everything that follows would fail in ways that are harder to understand."""

from __future__ import annotations

import re
import secrets
import shutil
import socket
from pathlib import Path

from gitops_agent import process
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.errors import AgentError, CommandFailed, Refused, Unavailable

_NEEDED = (2, 20)
"""Compose that knows `required: false`."""
_ROOM = 2 << 30
"""Bytes that the images alone need."""
_PULL = 600.0
_IN_CONTAINER = Path("/.dockerenv")


class Host(Step):
    """Nothing to do, only to complain of; but for the root directory itself, which everything lies in."""

    name = "host"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._facts = ground.blueprint.facts

    def missing(self) -> str:
        self._compose()
        self._ports()
        root = self._facts.root
        if not root.is_dir() or not (root / "upstreams").is_dir() or not (self._ground.state / "authority").is_dir():
            return f"{root} is not prepared"
        if root.stat().st_mode & 0o077:
            return f"{root} can be entered by others"
        if (free := shutil.disk_usage(root).free) < _ROOM:
            raise Refused(f"only {free >> 20} MiB are free in {root}: make room, or choose another `root` in values/")
        return ""

    def do(self) -> None:
        root = self._facts.root
        try:
            root.mkdir(parents=True, exist_ok=True)
            root.chmod(0o700)
            (root / "upstreams").mkdir(exist_ok=True, mode=0o755)
            for private in (self._ground.state, self._ground.state / "authority"):
                private.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise Refused(
                f"{error.filename}: {error.strerror}: bootstrap needs the rights of root, or another `root` in values/"
            ) from None
        self._mounted(root)

    def _compose(self) -> None:
        try:
            said = process.run(["docker", "compose", "version", "--short"], timeout=30).text.strip()
            process.run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=30)
        except CommandFailed as error:
            raise Refused(f"Docker does not answer: {error}; start it, or set DOCKER_HOST") from None
        except Unavailable:
            raise Refused("there is no `docker` here: install Docker with its Compose plugin") from None
        found = re.match(r"v?(\d+)\.(\d+)", said)
        if found and (int(found[1]), int(found[2])) < _NEEDED:
            raise Refused(f"Docker Compose is {said}; it has to be {_NEEDED[0]}.{_NEEDED[1]} or newer")

    def _ports(self) -> None:
        """Those of nginx and Nomad, unless it is they who have them. In a container the host's ports cannot be tried."""
        if _IN_CONTAINER.exists() or not self._ground.blueprint.has("nginx"):
            return
        nginx = self._ground.engine.find(f"{self._facts.project}/nginx")
        if nginx is not None and nginx.running:
            return
        taken = [port for port in self._facts.ports if not self._free(port)]
        if taken:
            raise Refused(
                f"port {', '.join(map(str, taken))} of {self._facts.address} is taken: free it, or change `publish` in values/"
            )

    def _free(self, port: int) -> bool:
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind((self._facts.address, port))
            except OSError:
                return False
        return True

    def _mounted(self, root: Path) -> None:
        """Docker may run in a VM that sees only a part of this disk (Colima: $HOME)."""
        proof = secrets.token_hex(8)
        file = self._ground.state / ".seen"
        file.write_text(proof)
        command = ["docker", "run", "--rm", "--user", "0", "--volume", f"{root}:{root}:ro", "--entrypoint", "cat"]
        try:
            seen = process.run([*command, self._facts.image, file], timeout=_PULL).text.strip()
        except AgentError as error:
            raise Refused(f"a container of {self._facts.image} cannot read {root}: {error}") from None
        finally:
            file.unlink()
        if seen != proof:
            raise Refused(f"containers do not see {root}: choose a `root` in values/ that Docker mounts (Colima: below $HOME)")


def unknown_names(hostnames: tuple[str, ...]) -> list[str]:
    """Names that this host does not find: they are for whoever looks after DNS or /etc/hosts."""
    unknown = []
    for name in hostnames:
        try:
            socket.getaddrinfo(name, None)
        except OSError:
            unknown.append(name)
    return unknown
