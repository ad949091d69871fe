"""One Docker Engine."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from gitops_agent.container.connection import connect, image_id, naming, unless_gone
from gitops_agent.container.shapes import Container, Exited, Mount
from gitops_agent.errors import CommandFailed, ConfigError
from gitops_agent.secret import mask

if TYPE_CHECKING:
    import docker

_CHECK = "gitops-agent.check"
"""Label of throw-away containers, so that what a killed agent left behind is found."""
_OLD = 600.0
"""Seconds after which a throw-away container that still exists is nobody's."""


class Engine:
    """The connection is made when first needed and kept. Used by one thread at a time.

    Raises Unavailable when the engine cannot be reached, ApplyFailed when it says no.
    """

    def __init__(self, address: str = "", timeout: float = 60) -> None:
        self._address = address
        self._timeout = timeout
        self._connected: docker.APIClient | None = None

    def find(self, name: str) -> Container | None:
        """By the container's name, or by its Compose service: `service`, or `project/service`. None where there is none.

        Raises ConfigError where several containers are meant.
        """
        with naming(f"container {name}"):
            if "/" not in name:
                with unless_gone():
                    found = Container.of(self._api.inspect_container(name))
                    if found.name == name:
                        return found
            project, _, service = name.rpartition("/")
            labels = [f"com.docker.compose.service={service}", "com.docker.compose.oneoff=False"]
            labels += [f"com.docker.compose.project={project}"] if project else []
            listed = self._api.containers(all=True, filters={"label": labels})
            if len(listed) > 1:
                raise ConfigError(f"{name!r} is {len(listed)} containers; write a container's name, or PROJECT/SERVICE")
            return Container.of(self._api.inspect_container(listed[0]["Id"])) if listed else None

    def execute(self, container: Container, command: Sequence[str], *, timeout: float, user: str = "") -> Exited:
        """Runs a command in it, as the image's user unless another is named. Raises CommandFailed when it does not end in time;
        Docker has no way to end it then."""
        what = f"{command[0]} in {container.name}"
        with naming(what):
            job = self._api.exec_create(container.id, list(command), user=user)["Id"]
            stream: Any = self._api.exec_start(job, socket=True)
            # What the SDK gives is a file around the socket (SocketIO), or the socket itself over TLS.
            connection = getattr(stream, "_sock", stream)
            try:
                output = _read(connection, time.monotonic() + timeout)
            except TimeoutError:
                raise CommandFailed(f"{what} did not end within {timeout:g} s") from None
            finally:
                # The answer that the SDK keeps with it comes first: from Python 3.13 on it complains of a socket closed under it.
                for each in (getattr(stream, "_response", None), stream, connection):
                    if each is not None:
                        each.close()
            status = self._api.exec_inspect(job)["ExitCode"]
        return Exited(int(status), mask(output.decode(errors="replace")))

    def signal(self, container: Container, name: str) -> None:
        with naming(f"{name} to {container.name}"):
            self._api.kill(container.id, name)

    def titles(self, container: Container) -> Mapping[int, str]:
        """Command lines of its processes by pid, as the engine's host numbers them."""
        with naming(f"processes of {container.name}"):
            top = self._api.top(container.id, ps_args="-eo pid,args")
        return {int(row[0]): row[-1] for row in top["Processes"] or ()}

    def logs(self, container: Container, since: float) -> str:
        """What it wrote since then (seconds since 1970)."""
        with naming(f"logs of {container.name}"):
            written = self._api.logs(container.id, since=since)
        return mask(written.decode(errors="replace"))

    def check(self, like: Container, command: Sequence[str], mounts: Sequence[Mount], *, timeout: float) -> Exited:
        """Runs a command in a throw-away container of the same image, user and environment, in the same network, with these
        mounts. Raises CommandFailed when it does not end in time."""
        import requests
        from docker.errors import APIError
        from docker.types import Mount as SdkMount

        self._forget_old_checks()
        with naming(f"check in a container like {like.name}"):
            job = self._api.create_container(
                like.image,
                entrypoint=[command[0]],
                command=list(command[1:]),
                user=like.user or None,
                environment=list(like.environment),
                labels={_CHECK: like.name},
                host_config=self._api.create_host_config(
                    network_mode=f"container:{like.id}" if like.running else like.network,
                    mounts=[SdkMount(m.target, m.source, m.kind, read_only=not m.writable) for m in mounts],
                ),
            )["Id"]
            try:
                self._api.start(job)
                status = self._api.wait(job, timeout=max(1, round(timeout)))["StatusCode"]
                return Exited(status, mask(self._api.logs(job).decode(errors="replace")))
            except (requests.Timeout, requests.ConnectionError):
                raise CommandFailed(f"{command[0]} like {like.name} did not end within {timeout:g} s") from None
            finally:
                with suppress(APIError):
                    self._api.remove_container(job, force=True, v=True)

    def image(self, name: str) -> str:
        """The id of an image, `sha256:…`; empty where the engine has none of that name."""
        return image_id(self._api, name)

    def export(self, name: str, to: BinaryIO) -> None:
        """An image with all its layers, as `docker save` writes it."""
        with naming(f"image {name}"):
            to.writelines(self._api.get_image(name))

    def close(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    @property
    def _api(self) -> docker.APIClient:
        if self._connected is None:
            self._connected = connect(self._address, self._timeout)
        return self._connected

    def _forget_old_checks(self) -> None:
        from docker.errors import APIError

        with naming("old checks"):
            for old in self._api.containers(all=True, filters={"label": [_CHECK], "status": ["created", "exited", "dead"]}):
                if time.time() - old["Created"] > _OLD:
                    with suppress(APIError):
                        self._api.remove_container(old["Id"], force=True, v=True)


def _read(stream: socket.socket, deadline: float) -> bytes:
    """The SDK's own reader waits for ever. Frames: a byte for the stream, three of nothing, four for the length."""
    raw = b""
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    while True:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        part = stream.recv(65536)
        if not part:
            break
        raw += part
    output = b""
    while len(raw) >= 8:
        length = int.from_bytes(raw[4:8], "big")
        output, raw = output + raw[8 : 8 + length], raw[8 + length :]
    return output
