"""What the engine says, as values. Free of the SDK, so that it costs nothing to name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["bind", "volume", "tmpfs", "npipe"]


@dataclass(frozen=True)
class Mount:
    """`source` is a path of the host, or a volume's name where `kind` is `volume`."""

    source: str
    target: str
    kind: Kind = "bind"
    writable: bool = False


@dataclass(frozen=True)
class Container:
    """One container as the engine sees it now. `image` is the ID of the very image it runs."""

    id: str
    name: str
    image: str
    running: bool
    pid: int
    """Of its process 1, as the engine's host numbers it; 0 while it does not run."""
    network: str
    user: str
    environment: tuple[str, ...]
    mounts: tuple[Mount, ...]
    addresses: tuple[str, ...] = ()
    """In each network it is in, while it runs."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Container:
        """From what `inspect` answers."""
        mounts = (
            Mount(m["Name"] if m["Type"] == "volume" else m.get("Source", ""), m["Destination"], m["Type"], bool(m["RW"]))
            for m in found["Mounts"]
        )
        networks = found.get("NetworkSettings", {}).get("Networks") or {}
        return cls(
            id=found["Id"],
            name=found["Name"].lstrip("/"),
            image=found["Image"],
            running=bool(found["State"]["Running"]),
            pid=int(found["State"]["Pid"]),
            network=found["HostConfig"]["NetworkMode"],
            user=found["Config"].get("User") or "",
            environment=tuple(found["Config"].get("Env") or ()),
            mounts=tuple(mounts),
            addresses=tuple(network["IPAddress"] for network in networks.values() if network["IPAddress"]),
        )


@dataclass(frozen=True)
class Inspected:
    """A container with what says how it was made. `reference` is how the image was named, `digests` and `tags` what else it is
    called; `ports` are where the host offers its TCP ports, `titles` the command lines of its processes, while it runs."""

    container: Container
    reference: str
    digests: tuple[str, ...]
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    command: tuple[str, ...]
    ports: Mapping[int, tuple[str, int]]
    titles: tuple[str, ...]

    @classmethod
    def of(cls, found: Mapping[str, Any], titles: tuple[str, ...], image: Mapping[str, Any]) -> Inspected:
        """From what `inspect` answers of the container and of its image."""
        offered = (found.get("NetworkSettings") or {}).get("Ports") or {}
        ports = {
            int(port.partition("/")[0]): (places[0]["HostIp"], int(places[0]["HostPort"]))
            for port, places in offered.items()
            if places and port.endswith("/tcp")
        }
        return cls(
            Container.of(found),
            found["Config"]["Image"],
            tuple(image.get("RepoDigests") or ()),
            tuple(image.get("RepoTags") or ()),
            found["Config"].get("Labels") or {},
            (found["Path"], *found["Args"]),
            ports,
            titles,
        )


@dataclass(frozen=True)
class Exited:
    """A command that ran in a container; both streams together, masked."""

    status: int
    output: str


@dataclass(frozen=True)
class Event:
    """Something happened to a container. `time` (seconds, to the nanosecond) is where `since` goes on."""

    action: str
    id: str
    labels: Mapping[str, str]
    time: str

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Event:
        nanoseconds = int(event["timeNano"]) + 1
        actor = event["Actor"]
        time = f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09}"
        return cls(str(event["Action"]), str(actor["ID"]), dict(actor.get("Attributes") or {}), time)
